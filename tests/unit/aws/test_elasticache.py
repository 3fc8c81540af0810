"""The code for logins is loaded ahead if the environment has no credentials."""

from __future__ import annotations

import boto3
import pytest

from tenantgate.aws import elasticache


@pytest.fixture(autouse=True)
def _first_login() -> None:
    elasticache._session.cache_clear()


@pytest.mark.parametrize(("credentials", "sessions"), [(None, 1), (("AKIDEXAMPLE", "secret", "token"), 0)])
def test_it_is_loaded_only_without_credentials_in_the_environment(
    credentials: tuple[str, str, str] | None, sessions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(elasticache, "role_credentials", lambda: credentials)
    monkeypatch.setattr(boto3, "Session", lambda: made.append(object()))
    elasticache.prepare_cache_login()
    elasticache.prepare_cache_login()
    assert len(made) == sessions
    elasticache._session.cache_clear()
