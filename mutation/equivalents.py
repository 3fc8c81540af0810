"""The mutants that no test can kill, or should: `equivalents.toml`, each with its reason."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from mutation.mutants import Key

FILE = Path(__file__).with_name("equivalents.toml")


def read(file: Path = FILE) -> dict[Key, str]:
    """Read the reasons by mutant; raises ValueError for an entry without a reason, or given twice."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("mutant", [])
    reasons: dict[Key, str] = {}
    for entry in entries:
        reason = entry.pop("reason", "").strip()
        key = Key(**{"function": ""} | entry)
        if not reason or key in reasons:
            raise ValueError(f"{'a second entry' if reason else 'no reason'} for {key}")
        reasons[key] = reason
    return reasons


def stale(reasons: dict[Key, str], mutants: Iterable[Key], modules: Iterable[str]) -> list[Key]:
    """List the entries that name no mutant any longer; `modules` are those whose mutants were all listed."""
    listed, known = set(modules), set(mutants)
    return [key for key in reasons if key.module in listed and key not in known]
