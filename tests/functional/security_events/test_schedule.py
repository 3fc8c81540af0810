"""`make dev` fetches security events from an issuer that doesn't push them, by the function that AWS has for it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator

import pytest

from lambda_gateway.app import Gateway
from tenantgate_cli.paths import TEMPLATE
from tenantgate_cli.stack.schedules import POLL, keep_schedules, schedules_for
from tenantgate_cli.stack.templates import read_product_template
from tenantgate_cli.stack.variables import variables_for
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.providers.misbehaving import EVENT_AUDIENCE, CannedResponse, MisbehavingProvider

pytestmark = pytest.mark.anyio

KEY = base64.urlsafe_b64encode(hashlib.sha256().digest()).decode()
CHANGED = "https://schemas.openid.net/secevent/caep/event-type/credential-change"


@pytest.fixture
async def provider(database_urls: DatabaseUrls, redis_url: str) -> AsyncIterator[MisbehavingProvider]:
    """A provider with a waiting event, from which a stack polls as `make dev` does once it is ready."""
    with MisbehavingProvider() as provider:
        provider.responses["/poll"] = CannedResponse.of_json({"sets": {"first": provider.security_event(CHANGED)}})
        entry = {
            "issuer": provider.issuer,
            "audiences": [provider.audience],
            "tenants": "*",
            "event_audiences": [EVENT_AUDIENCE],
            "event_poll_url": f"{provider.issuer}/poll",
        }
        given = {
            "OIDC_ISSUER_URL": provider.issuer,
            "OIDC_CLIENT_ID": "client",
            "OIDC_CLIENT_SECRET": "secret",
            "TRUSTED_ISSUERS": json.dumps([entry]),
            "EVENT_POLL_AUTHORIZATION": json.dumps({provider.issuer: "Bearer of-the-stream"}),
        }
        urls = {"app_url": database_urls.app_url, "owner_url": database_urls.owner_url, "redis_url": redis_url}
        variables = variables_for(3000, given, {"COOKIE_SEALING_KEYS": KEY}, **urls)
        gateway = Gateway(read_product_template(TEMPLATE, variables.settings, variables.secrets))
        polls = [each for each in schedules_for(variables.settings) if each.function == POLL]
        keeping = asyncio.create_task(keep_schedules(gateway, [each._replace(pause=0.1) for each in polls]))
        try:
            yield provider
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            await gateway.stop()


async def test_a_waiting_event_is_fetched_and_acknowledged_again_and_again(provider: MisbehavingProvider) -> None:
    async with asyncio.timeout(30):
        while len(provider.asked("/poll")) < 4:
            await asyncio.sleep(0.05)
    requests = [(request.headers["authorization"], json.loads(request.body)) for request in provider.asked("/poll")]
    assert {authorization for authorization, _ in requests} == {"Bearer of-the-stream"}
    assert [body["maxEvents"] for _, body in requests[:4]] == [10, 0, 10, 0]
    assert [body.get("ack") for _, body in requests[1:4:2]] == [["first"], ["first"]]
