"""Comparison of texts of which one is secret."""

from __future__ import annotations

import hashlib
import hmac


def same_text(given: str, secret: str) -> bool:
    """Compare without telling by the time taken how much of `given` is right, or how long `secret` is."""
    return hmac.compare_digest(_digest(given), _digest(secret))


def _digest(text: str) -> bytes:
    # Of equal length for every text, which `compare_digest` needs, and without a prefix in common.
    return hashlib.sha256(text.encode()).digest()
