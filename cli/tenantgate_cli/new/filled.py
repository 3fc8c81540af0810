"""The texts of `texts/`, with the names filled in."""

from __future__ import annotations

from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent / "texts"


def filled(name: str, values: dict[str, str]) -> str:
    """Return the text `texts/<name>.txt`. Raises KeyError for a name without a value."""
    return Template((_FOLDER / f"{name}.txt").read_text(encoding="utf-8")).substitute(values)
