"""The real flows leave the same audit events over the gateway and in the container."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate_cli.stack.data_folder import DataFolder
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import sign_in_by_redirect
from tests.fixtures.tokens.issuer import TENANT

pytestmark = pytest.mark.xdist_group("stacks")

SESSION = "__Host-tg_session"
AUTH = "/api/v1/auth"


@pytest.fixture(params=["gateway", "container"])
def stack(request: pytest.FixtureRequest) -> RunningStack:
    found: RunningStack = request.getfixturevalue(request.param)
    return found


def events(stack: RunningStack, request_ids: list[str]) -> list[dict[str, Any]]:
    """Return the events of these requests, in all logs, as the owner of the tables reads them."""

    async def read() -> list[dict[str, Any]]:
        settings = DataFolder(stack.data_dir).running_settings() or {}
        connection = await asyncpg.connect(settings["DATABASE_OWNER_URL"])
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('tenantgate.every_tenant', 'on', true)")
                query = "SELECT * FROM audit_events WHERE request_id = ANY($1) ORDER BY created_at, id"
                return [dict(row) for row in await connection.fetch(query, request_ids)]
        finally:
            await connection.close()

    return asyncio.run(read())


def test_a_sign_in_its_refresh_its_end_and_a_failed_one_are_recorded(stack: RunningStack) -> None:
    with Browser() as browser:
        started = sign_in_by_redirect(browser, stack.url)
        assert started.status_code == 303
        refreshed = browser.post_json(f"{stack.url}{AUTH}/refresh", {}, headers={"origin": stack.url})
        assert refreshed.status_code == 200
        ended = browser.post_json(f"{stack.url}{AUTH}/logout", {}, headers={"origin": stack.url})
        assert ended.status_code == 200
    done = [response.headers["x-request-id"] for response in (started, refreshed, ended)]
    rows = events(stack, done)
    assert [row["event_type"] for row in rows if row["event_type"] != "TENANT_REGISTERED"] == [
        "AUTH_LOGIN_SUCCESS",
        "AUTH_TOKEN_REFRESHED",
        "AUTH_LOGOUT",
    ]
    assert [row["request_id"] for row in rows if row["event_type"] != "TENANT_REGISTERED"] == done
    acts = [row for row in rows if row["event_type"] != "TENANT_REGISTERED"]
    # All are of one user. None names it in clear text.
    assert len({row["user_digest"] for row in acts}) == 1
    assert None not in [row["encrypted_user"] for row in acts]
    assert "demo" not in str([{name: value for name, value in row.items() if name != "tenant_id"} for row in acts])


def test_a_forged_response_writes_only_into_the_deployments_own_log(stack: RunningStack) -> None:
    forged = {"state": str(uuid4()), "code": "x", "iss": f"https://{TENANT}.example"}
    response = httpx2.post(f"{stack.url}{AUTH}/callback", json=forged, trust_env=False, timeout=30)
    assert response.status_code == 403
    (row,) = events(stack, [response.headers["x-request-id"]])
    assert (row["event_type"], row["tenant_id"], row["outcome"]) == ("AUTH_LOGIN_FAILED", DEPLOYMENT, "denied")
    assert json.loads(row["detail"])["error_code"] == "AUTH_002"
    assert row["encrypted_detail"] is not None
    assert "127.0.0.1" not in str(row)
