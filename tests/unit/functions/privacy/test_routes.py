"""`/api/v1/privacy`, behind the authorizer."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from mangum import Mangum

from functions.privacy.routes import router
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError
from tenantgate.privacy.errors import CursorRefused
from tenantgate.privacy.models import Erased, ExportPage, LedgerEntry, Subject
from tenantgate.privacy.wiring import erasure_service, export_service
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.transparency.errors import AnchorUnavailable
from tenantgate.web.app import create_app
from tests.fixtures.web.setup import ISSUER, TENANT, api_event, lambda_context, make_settings

GRANTED: dict[str, object] = {
    "user_id": "user-1",
    "tenant_id": TENANT,
    "issuer": ISSUER,
    "scopes": "openid",
    "expires_at": 1_900_000_000,
    "auth_method": "session",
    "session_id": str(UUID(int=9)),
    "request_id": "r",
}
ENTRY = LedgerEntry(UUID(int=1), TENANT, (), 1_800_000_000)
EXPORTS, ME = ("POST", "/api/v1/privacy/exports"), ("DELETE", "/api/v1/privacy/me")


@dataclass
class Services:
    """Both services. `failure`: raised by them."""

    failure: TenantgateError | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    async def page(self, subject: Subject, cursor: str | None) -> ExportPage:
        self.calls.append((subject, cursor))
        if self.failure is not None:
            raise self.failure
        return ExportPage({"sessions": [{"id": "s"}]}, "next")

    async def erase(self, subject: Subject, *, source: str, actor: str) -> Erased:
        self.calls.append((subject, source, actor))
        if self.failure is not None:
            raise self.failure
        return Erased(ENTRY, 2, 0)

    def ask(
        self, request: tuple[str, str], granted: dict[str, object] | None, body: str | None = None
    ) -> tuple[int, dict[str, Any], dict[str, Any]]:
        app = create_app(router, settings=make_settings(), cors=False)
        app.dependency_overrides |= {export_service: lambda: self, erasure_service: lambda: self}
        headers = {"content-type": "application/json"} if body is not None else {}
        event = api_event(*request, authorizer=granted, body=body, headers=headers)
        with asyncio.Runner() as runner:
            asyncio.set_event_loop(runner.get_loop())
            response = Mangum(app, lifespan="off")(event, lambda_context())
        return response["statusCode"], json.loads(response["body"]), response


def signed_in(seconds_ago: int) -> dict[str, object]:
    return {**GRANTED, "auth_time": int(time.time()) - seconds_ago}


def test_an_export_is_of_the_caller_that_the_authorizer_verified() -> None:
    services = Services()
    status, body, _ = services.ask(EXPORTS, GRANTED)
    assert status == 200
    assert body == {
        "user_id": "user-1",
        "tenant_id": TENANT,
        "issuer": ISSUER,
        "records": {"sessions": [{"id": "s"}]},
        "next_cursor": "next",
    }
    services.ask(EXPORTS, GRANTED, '{"cursor": "c"}')
    assert services.calls == [(Subject(TENANT, ISSUER, "user-1"), None), (Subject(TENANT, ISSUER, "user-1"), "c")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"cursor": 7}', 422),
        ('{"user_id": "user-2"}', 422),
        (json.dumps({"cursor": "x" * 2001}), 422),
        ("{", 400),
        ("[]", 422),
    ],
)
def test_a_body_of_another_form_is_refused(body: str, status: int) -> None:
    services = Services()
    assert services.ask(EXPORTS, GRANTED, body)[0] == status
    assert not services.calls


def test_a_refused_cursor_is_an_error_of_the_caller() -> None:
    status, body, _ = Services(CursorRefused("x")).ask(EXPORTS, GRANTED, '{"cursor": "c"}')
    assert (status, body["error"]["code"]) == (400, "AUTH_120")


@pytest.mark.parametrize("request_", [EXPORTS, ME], ids=["export", "erase"])
def test_a_request_without_the_authorizers_context_is_rejected(request_: tuple[str, str]) -> None:
    services = Services()
    status, body, _ = services.ask(request_, None)
    assert (status, body["error"]["code"]) == (401, "AUTH_007")
    assert not services.calls


def test_an_erasure_ends_the_browsers_session() -> None:
    services = Services()
    status, body, response = services.ask(ME, signed_in(10))
    assert (status, body) == (200, {"erasure_id": str(ENTRY.id), "erased_at": 1_800_000_000, "sessions": 2})
    assert "__Host-tg_session=; Max-Age=0" in str(response)
    assert services.calls == [(Subject(TENANT, ISSUER, "user-1"), "request", "user")]


def test_a_bearer_token_clears_no_cookie() -> None:
    bearer = {name: value for name, value in signed_in(10).items() if name != "session_id"} | {"auth_method": "bearer"}
    status, _, response = Services().ask(ME, bearer)
    assert status == 200
    assert "set-cookie" not in str(response).lower()


@pytest.mark.parametrize("seconds_ago", [400, -400, None], ids=["old", "future", "unknown"])
def test_without_a_recent_sign_in_nothing_is_erased(seconds_ago: int | None) -> None:
    services = Services()
    status, body, response = services.ask(ME, GRANTED if seconds_ago is None else signed_in(seconds_ago))
    assert (status, body["error"]["code"]) == (401, "AUTH_011")
    assert 'max_age="300"' in response["headers"]["www-authenticate"]
    assert not services.calls


@pytest.mark.parametrize("auth_time", ["x", -1, "1e9", 10**13, True], ids=str)
def test_a_malformed_time_in_the_context_is_rejected(auth_time: object) -> None:
    services = Services()
    assert services.ask(ME, {**GRANTED, "auth_time": auth_time})[0] == 401
    assert not services.calls


def test_an_erasure_whose_entry_cant_be_stored_asks_to_try_again() -> None:
    services = Services(AnchorUnavailable("S3 is away"))
    status, body, response = services.ask(ME, GRANTED | {"auth_time": int(time.time())})
    assert (status, body["error"]["code"]) == (503, "SYS_015")
    assert response["headers"]["retry-after"] == "5"
    # The person is still signed in.
    assert "cookies" not in response


def test_an_erasure_that_isnt_known_everywhere_yet_clears_the_cookie_too() -> None:
    failure = EndedOnlyInPart((), DatabaseUnreachable("away"))
    status, body, response = Services(failure).ask(ME, signed_in(10))
    assert (status, body["error"]["code"]) == (503, "SYS_005")
    assert "__Host-tg_session=; Max-Age=0" in str(response)
