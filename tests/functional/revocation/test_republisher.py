"""The republisher's function, as AWS invokes it, and the container's publications."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

import pytest

from container.republishing import republishing
from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.revocation.tasks import Republisher
from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY, Head, Snapshot
from tenantgate_cli.paths import ROOT
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.web.setup import make_settings

INVOKE = """
import json
from types import SimpleNamespace
from functions.revocation_republisher.handler import lambda_handler
context = SimpleNamespace(aws_request_id="request-0000-0000", get_remaining_time_in_millis=lambda: 4_500)
try:
    result = lambda_handler({}, context)
except Exception as error:
    result = {"errorType": type(error).__name__, "errorMessage": str(error)}
print("RESULT " + json.dumps(result))
"""


def invoke(**variables: str) -> tuple[dict[str, object], str]:
    run = subprocess.run(
        [sys.executable, "-c", INVOKE],
        cwd=ROOT,
        env={
            "PYTHONPATH": str(ROOT / "layers" / "shared"),
            "ENVIRONMENT": "test",
            "AWS_LAMBDA_FUNCTION_NAME": "republisher",
            "PUBLIC_BASE_URL": "http://localhost:3000",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT ")), run.stdout + run.stderr


def published(redis_url: str) -> tuple[Head | None, Snapshot | None]:
    async def read() -> tuple[Head | None, Snapshot | None]:
        cache = ValkeyCache(parse_cache_url(redis_url, protection="private-network", relaxed=True))
        head, body = await cache.get_many([HEAD_KEY, BODY_KEY])
        await cache.dispose()
        return Head.from_json(head or b""), Snapshot.from_json(body or b"")

    return asyncio.run(read())


def test_an_invocation_publishes_until_its_time_is_over(database_urls: DatabaseUrls, redis_url: str) -> None:
    result, _ = invoke(DATABASE_URL=database_urls.app_url, REDIS_URL=redis_url)
    assert result == {"published": 3, "failed": 0}
    head, body = published(redis_url)
    assert head is not None
    assert body is not None
    assert head.epoch == body.epoch
    assert 0 <= time.time() - head.read_at / 1000 < 10


def test_without_a_cache_the_invocation_fails(database_urls: DatabaseUrls) -> None:
    result, _ = invoke(DATABASE_URL=database_urls.app_url)
    assert result == {"errorType": "PublicationFailed", "errorMessage": "REDIS_URL is not set"}


def test_an_invocation_that_published_nothing_fails_without_the_password(redis_url: str) -> None:
    result, written = invoke(DATABASE_URL="postgresql://role:a-password@127.0.0.1:1/tenantgate", REDIS_URL=redis_url)
    assert result == {"errorType": "PublicationFailed", "errorMessage": "no publication succeeded"}
    assert "a-password" not in written


@pytest.mark.anyio
async def test_the_container_publishes_while_it_serves() -> None:
    class Publisher:
        calls = 0

        async def publish(self) -> int:
            self.calls += 1
            return 1

    publisher = Publisher()
    async with republishing(make_settings(), Republisher(publisher, every=0.01)), asyncio.timeout(5):
        while publisher.calls < 5:
            await asyncio.sleep(0.01)
    ended = publisher.calls
    await asyncio.sleep(0.05)
    assert publisher.calls == ended
