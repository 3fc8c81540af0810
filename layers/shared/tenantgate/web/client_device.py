"""A short name of the client's browser and system, for the list of a person's own sessions. It decides nothing.

A client may send any `User-Agent`. So the name has only words of these tables, and never a part of it.
"""

from __future__ import annotations

_LONGEST = 512
# In this order: most browsers also name those that they descend from.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def device_name(user_agent: str | None) -> str | None:
    """Return a name such as `Firefox on Linux`, `Safari` or `Android`; None for an unknown client."""
    text = (user_agent or "")[:_LONGEST]
    browser = next((name for mark, name in _BROWSERS if mark in text), None)
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    return f"{browser} on {system}" if browser and system else browser or system
