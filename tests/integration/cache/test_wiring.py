"""The process's cache, from its settings."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest

from tenantgate.cache import wiring
from tenantgate.cache.wiring import cache, cache_is_verified, dispose_cache
from tenantgate.settings.environment import get_settings

type Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Set the process's `REDIS_URL` and `REDIS_TLS`; None: unset."""

    def given(url: str | None, tls: str | None = None) -> None:
        monkeypatch.setenv("ENVIRONMENT", "test")
        for name, value in (("REDIS_URL", url), ("REDIS_TLS", tls)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        wiring._warn.cache_clear()

    yield given
    get_settings.cache_clear()
    wiring._warn.cache_clear()


def test_a_loop_has_one_cache_and_another_loop_another(redis_url: str, configure: Configure) -> None:
    configure(redis_url)

    async def twice() -> tuple[object, object]:
        try:
            first = cache()
            assert first is not None
            await first.set("key", b"1", seconds=5)
            return first, cache()
        finally:
            await dispose_cache()

    first, second = asyncio.run(twice()), asyncio.run(twice())
    assert first[0] is first[1]
    assert second[0] is second[1]
    assert first[0] is not second[0]


def test_without_the_setting_there_is_no_cache(configure: Configure) -> None:
    configure(None)

    async def made() -> object:
        try:
            return cache()
        finally:
            await dispose_cache()

    assert asyncio.run(made()) is None


@pytest.mark.parametrize(
    ("tls", "verified"), [(None, True), ("verify-full", True), ("encrypted", False), ("private-network", False)]
)
def test_a_server_that_is_not_verified_is_logged_once(
    configure: Configure, caplog: pytest.LogCaptureFixture, tls: str | None, *, verified: bool
) -> None:
    configure("redis://127.0.0.1", tls)
    with caplog.at_level(logging.WARNING):
        assert [cache_is_verified(), cache_is_verified()] == [verified, verified]

    assert len([r for r in caplog.records if f"REDIS_TLS={tls}" in r.getMessage()]) == (0 if verified else 1)


@pytest.mark.parametrize(("iam_cache", "prepared"), [("sessions", 1), (None, 0)])
def test_the_login_is_prepared_with_iam(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, iam_cache: str | None, prepared: int
) -> None:
    prepare = Mock()
    monkeypatch.setattr("tenantgate.aws.elasticache.prepare_cache_login", prepare)
    if iam_cache is not None:
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("REDIS_IAM_CACHE", iam_cache)
    configure("rediss://app@cache.example:6379" if iam_cache else "redis://127.0.0.1")
    wiring.prepare_cache()
    assert prepare.call_count == prepared


def test_the_library_is_imported_only_for_a_cache() -> None:
    code = (
        "import asyncio, sys\n"
        "from tenantgate.cache.wiring import cache, prepare_cache\n"
        "async def main(): return cache()\n"
        "prepare_cache(); asyncio.run(main()); assert 'redis' not in sys.modules\n"
        "import os; os.environ['REDIS_URL'] = 'redis://127.0.0.1'\n"
        "from tenantgate.settings.environment import get_settings; get_settings.cache_clear()\n"
        "prepare_cache(); assert 'redis' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"ENVIRONMENT": "test"}, timeout=60)
