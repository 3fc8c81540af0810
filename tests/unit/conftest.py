"""Unit tests have no database that could list revocations."""

from __future__ import annotations

import pytest

from tenantgate.revocation import wiring
from tenantgate.revocation.cache import NoRevocations


@pytest.fixture(autouse=True)
def _nothing_is_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "make_current_revocations", NoRevocations)
