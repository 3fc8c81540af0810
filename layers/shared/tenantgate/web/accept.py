"""Choose between a page and JSON by `Accept` (RFC 9110 §12.5.1). Standard library only."""

from __future__ import annotations


def prefers_html(accept: str | None) -> bool:
    """Check that `text/html` is named and preferred to `application/json`, as when a browser navigates."""
    if accept is None:
        return False
    return _quality(accept, "text/html") > _quality(accept, "application/json")


def navigates(method: str, accept: str | None) -> bool:
    """Check that the request is a browser's that opens an address."""
    return method in ("GET", "HEAD") and prefers_html(accept)


def _quality(accept: str, wanted: str) -> float:
    """Return the weight of exactly this media type. Wildcards don't count, since every script sends them."""
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type == wanted:
            for parameter in parameters:
                name, _, value = parameter.partition("=")
                if name.strip() == "q":
                    try:
                        return float(value)
                    except ValueError:
                        return 0.0
            return 1.0
    return 0.0
