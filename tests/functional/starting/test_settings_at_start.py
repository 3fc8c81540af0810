"""Settings at the start of a stack: an invalid one stops it before PostgreSQL starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.stack.commands import StackFailed, await_ready, start_command


@pytest.mark.parametrize("name", ["dev", "serve"])
def test_invalid_settings_stop_the_start_before_anything_else(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    starting = start_command(
        "dev" if name == "dev" else "serve",
        data,
        env={"OIDC_ISUER_URL": "https://login.example.com", "OIDC_CLIENT_ID": "client", "LOG_LEVEL": "LOUD"},
    )
    with pytest.raises(StackFailed):
        await_ready(starting)
    assert starting.stop() == 1
    assert starting.lines == [
        "note: OIDC_ISUER_URL is not a setting; did you mean OIDC_ISSUER_URL?",
        "✗ Tenantgate can't start: 2 settings are wrong.",
        "  LOG_LEVEL is 'LOUD': must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        (
            "  OIDC_ISSUER_URL is not set: set it to the issuer that OIDC_CLIENT_ID is registered at, or unset "
            "OIDC_CLIENT_ID to use the built-in provider"
        ),
        "  → correct or unset these variables, then start again",
    ]
    assert not data.exists()
