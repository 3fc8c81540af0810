"""Epoch seconds, as the services have them, and PostgreSQL's times."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """Return epoch seconds as PostgreSQL's driver takes them."""
    return datetime.fromtimestamp(seconds, UTC)


def whole_seconds(at: datetime) -> int:
    """Return a time of PostgreSQL in epoch seconds, rounded down."""
    return int(at.timestamp() // 1)
