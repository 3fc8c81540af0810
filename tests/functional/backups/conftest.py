"""The key of backups, and no variable of the developer's machine."""

from __future__ import annotations

import pytest

from tests.fixtures.backups.server import KEY


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_KEY", KEY)
    for name in ("BACKUP_KEY_FILE", "DATABASE_URL", "DATABASE_OWNER_URL"):
        monkeypatch.delenv(name, raising=False)
