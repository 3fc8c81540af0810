"""Every built function under Lambda's runtime client, with only its own folder and the layer on the path."""

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambda_gateway.runtime.failures import FunctionError
from tenantgate_cli.checks.structure.tree import Tree
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.postgres import PostgresAddresses
from tests.fixtures.template.built import running

pytestmark = pytest.mark.anyio

PRINCIPAL = {
    "user_id": "user-1",
    "tenant_id": "org-6f0f9e2e-8f0f-4f53-9d6d-7e1a6a0a4a11",
    "issuer": "http://127.0.0.1:9/idp",
    "scopes": "openid profile",
    "expires_at": int(time.time()) + 600,
    "auth_method": "bearer",
    "request_id": "request-0000000001",
}


def http_event(
    method: str,
    path: str,
    *,
    route: str | None = None,
    headers: dict[str, str] | None = None,
    body: object = None,
    authorizer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """API Gateway's event of payload format 2.0."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route or f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "auth.example.com", **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "auth.example.com",
            "domainPrefix": "auth",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route or f"{method} {path}",
            "stage": "$default",
            "time": "21/Nov/2026:20:00:00 +0000",
            "timeEpoch": 1795291200000,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        event["headers"]["content-type"] = "application/json"
        event["body"] = json.dumps(body)
    if authorizer is not None:
        event["requestContext"]["authorizer"] = {"lambda": authorizer}
    return event


def authorizer_event(headers: dict[str, str]) -> dict[str, Any]:
    return {
        **http_event("GET", "/api/v1/auth/me", headers=headers),
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-central-1:123456789012:api/$default/GET/api/v1/auth/me",
        "identitySource": None,
    }


@dataclass(frozen=True)
class Case:
    function: str
    event: dict[str, Any]
    status: int
    body: dict[str, Any] = field(default_factory=dict)


def error(code: str) -> dict[str, Any]:
    return {"error": {"code": code}}


CASES = [
    pytest.param(Case("HomeFunction", http_event("GET", "/"), 200, {"status": "ok"}), id="home"),
    pytest.param(
        Case("HealthFunction", http_event("GET", "/api/v1/health/live"), 200, {"status": "ok"}), id="health-live"
    ),
    pytest.param(
        Case(
            "HealthFunction",
            http_event("GET", "/api/v1/health/ready"),
            200,
            {
                "status": "ready",
                "checks": {
                    "database": "ok",
                    "schema": "ok",
                    "vector": "ok",
                    "secrets": "ok",
                    "cache": "absent",
                    "revocation": "absent",
                },
            },
        ),
        id="health-ready",
    ),
    pytest.param(
        Case("AuthLoginFunction", http_event("GET", "/api/v1/auth/login"), 502, error("SYS_004")),
        id="auth-login-with-its-provider-away",
    ),
    pytest.param(
        Case(
            "AuthCallbackFunction",
            http_event("POST", "/api/v1/auth/callback", body={"code": "code", "state": "state"}),
            403,
            error("AUTH_002"),
        ),
        id="auth-callback-without-a-transaction",
    ),
    pytest.param(
        Case("AuthValidateFunction", http_event("GET", "/api/v1/auth/validate"), 401, error("AUTH_007")),
        id="auth-validate-without-a-token",
    ),
    pytest.param(
        Case("AuthRefreshFunction", http_event("POST", "/api/v1/auth/refresh"), 401, error("AUTH_007")),
        id="auth-refresh-without-a-session",
    ),
    pytest.param(
        Case("AuthSessionsFunction", http_event("GET", "/api/v1/auth/sessions"), 401, error("AUTH_007")),
        id="auth-sessions-without-a-credential",
    ),
    pytest.param(
        Case(
            "AuthBackchannelLogoutFunction",
            http_event(
                "POST",
                "/api/v1/auth/backchannel-logout",
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
            | {"body": "logout_token=x.y.z"},
            400,
            {"error": "invalid_request"},
        ),
        id="auth-backchannel-logout-by-a-forged-token",
    ),
    pytest.param(
        Case(
            "SecurityEventsFunction",
            http_event("POST", "/api/v1/security-events", headers={"content-type": "application/secevent+jwt"})
            | {"body": "x.y.z"},
            400,
            {"err": "invalid_request"},
        ),
        id="security-events-by-a-forged-token",
    ),
    pytest.param(
        Case(
            "AuthLogoutFunction",
            http_event("POST", "/api/v1/auth/logout", body={"redirect_uri": "http://localhost:3000/"}),
            401,
            error("AUTH_007"),
        ),
        id="auth-logout-without-a-session",
    ),
    pytest.param(
        Case(
            "AuthMeFunction",
            http_event("GET", "/api/v1/auth/me", authorizer=PRINCIPAL),
            200,
            {"user_id": PRINCIPAL["user_id"], "tenant_id": PRINCIPAL["tenant_id"]},
        ),
        id="auth-me-behind-the-authorizer",
    ),
    pytest.param(
        Case(
            "IdentityProviderFunction",
            http_event("GET", "/idp/.well-known/openid-configuration", route="ANY /idp/{proxy+}"),
            200,
            {"issuer": "http://127.0.0.1:9/idp"},
        ),
        id="identity-provider-discovery",
    ),
    pytest.param(
        Case("UnknownRouteFunction", http_event("GET", "/nowhere", route="$default"), 404, error("VAL_005")),
        id="unknown-route",
    ),
    pytest.param(
        Case("UnknownRouteFunction", http_event("PUT", "/api/v1/auth/me", route="$default"), 405, error("VAL_006")),
        id="unknown-method",
    ),
]


# Every route behind the authorizer, as the template has it, with its function.
GUARDED = [
    (function.logical_id, event.key) for function in Tree(ROOT).functions for event in function.events if event.guarded
]


@pytest.fixture(scope="session")
async def migrated(build_dir: Path, postgres: PostgresAddresses, anyio_backend: str) -> PostgresAddresses:
    """The database, brought up to date by the built migration runner."""
    async with running(build_dir, "MigrationRunnerFunction", postgres) as process:
        response = await process.invoke({"action": "upgrade"})
        assert response["action"] == "upgrade", response
        assert response["before"] is None
        assert response["after"] is not None
    return postgres


@pytest.mark.parametrize("case", CASES)
async def test_a_built_function_serves_an_api_gateway_event(
    build_dir: Path, migrated: PostgresAddresses, case: Case
) -> None:
    async with running(build_dir, case.function, migrated) as process:
        response = await process.invoke(case.event)

    body = json.loads(response["body"])
    assert (response["statusCode"], _reduced(body, case.body)) == (case.status, case.body), body
    assert response["headers"]["content-type"] == "application/json"
    assert response["headers"]["x-request-id"]


@pytest.mark.parametrize(
    ("function", "path", "status", "heading"),
    [
        ("HomeFunction", "/", 200, "Sign in to continue"),
        ("AuthLoginFunction", "/api/v1/auth/login", 502, "The identity provider can&#39;t be reached"),
        ("UnknownRouteFunction", "/nowhere", 404, "There is nothing at this path"),
        ("UnknownRouteFunction", "/api/v1/auth/logout", 405, "The method is not allowed here"),
        ("IdentityProviderFunction", "/idp/nowhere", 404, "There is nothing at this path"),
    ],
)
async def test_a_built_function_shows_a_page_to_a_browser(
    *, build_dir: Path, migrated: PostgresAddresses, function: str, path: str, status: int, heading: str
) -> None:
    async with running(build_dir, function, migrated) as process:
        response = await process.invoke(http_event("GET", path, headers={"accept": "text/html,*/*;q=0.8"}))

    assert response["statusCode"] == status
    assert response["headers"]["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'nonce-" in response["headers"]["content-security-policy"]
    assert f"<h1>{heading}</h1>" in response["body"]


def _reduced(given: Any, wanted: Any) -> Any:
    """Return the members of `given` that `wanted` names."""
    if isinstance(given, dict) and isinstance(wanted, dict):
        return {name: _reduced(given[name], value) for name, value in wanted.items() if name in given}
    return given


async def test_the_built_authorizer_refuses_with_the_text_that_api_gateway_takes_for_a_401(
    build_dir: Path, migrated: PostgresAddresses
) -> None:
    async with running(build_dir, "AuthorizerFunction", migrated) as process:
        with pytest.raises(FunctionError, match=r"\AUnauthorized\Z"):
            await process.invoke(authorizer_event({}))
        with pytest.raises(FunctionError, match=r"\AUnauthorized\Z"):
            await process.invoke(authorizer_event({"authorization": "Bearer not.a.token"}))


async def test_the_built_migration_runner_tells_where_the_database_is(
    build_dir: Path, migrated: PostgresAddresses
) -> None:
    async with running(build_dir, "MigrationRunnerFunction", migrated) as process:
        response = await process.invoke({"action": "current"})

    assert response["revision"] == response["head"]


async def test_a_failure_of_the_built_migration_runner_is_a_failed_invocation(
    build_dir: Path, postgres: PostgresAddresses
) -> None:
    async with running(build_dir, "MigrationRunnerFunction", postgres) as process:
        with pytest.raises(FunctionError, match=r'"code": "VAL_001"') as caught:
            await process.invoke({"action": "drop"})

    assert json.loads(str(caught.value))["remedy"]


async def test_the_built_session_sweep_returns_its_counts(build_dir: Path, migrated: PostgresAddresses) -> None:
    async with running(build_dir, "SessionSweepFunction", migrated) as process:
        response = await process.invoke({})

    assert response == {"tenants": 0, "sessions": 0, "kept": 0, "lookups": 0, "token_ids": 0}


async def test_the_built_poll_of_security_events_returns_its_counts(
    build_dir: Path, migrated: PostgresAddresses
) -> None:
    async with running(build_dir, "SecurityEventPollFunction", migrated) as process:
        response = await process.invoke({})

    assert response == {"accepted": 0, "refused": 0}


async def test_every_line_that_a_built_function_writes_is_json(build_dir: Path, migrated: PostgresAddresses) -> None:
    async with running(build_dir, "HealthFunction", migrated) as process:
        await process.invoke(http_event("GET", "/api/v1/health/live"))

    assert [json.loads(line)["message"] for line in process.output] == ["request started", "request completed"]


@pytest.mark.parametrize(("function", "key"), GUARDED)
async def test_a_built_function_behind_the_authorizer_uses_its_context(
    *, build_dir: Path, migrated: PostgresAddresses, function: str, key: str
) -> None:
    method, _, path = re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", key).partition(" ")
    async with running(build_dir, function, migrated) as process:
        granted = await process.invoke(http_event(method, path, route=key, authorizer=PRINCIPAL))
        rejected = await process.invoke(http_event(method, path, route=key))

    assert granted["statusCode"] < 500, granted["body"]
    assert (rejected["statusCode"], json.loads(rejected["body"])["error"]["code"]) == (401, "AUTH_007")


async def test_each_function_has_a_case_here(build_dir: Path) -> None:
    covered = {case.values[0].function for case in CASES if isinstance(case.values[0], Case)}
    built = {folder.name for folder in build_dir.iterdir() if folder.name.endswith("Function")}
    guarded = {function for function, _ in GUARDED}

    without_http = {
        "AuditIngestFunction",
        "AuditSealFunction",
        "AuthorizerFunction",
        "MigrationRunnerFunction",
        "RevocationRepublisherFunction",
        "SecurityEventPollFunction",
        "SessionSweepFunction",
    }
    assert built - covered - guarded == without_http
