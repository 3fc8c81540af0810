"""The authorizer's handler in its own process: log lines, imports, and the start with an invalid environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.authorizer.events import authorizer_event
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER, TENANT, good_claims, public_jwks, sign

_PROGRAM = """
import json, sys
from functions.authorizer.handler import lambda_handler

class Context:
    aws_request_id = "invocation-0"

for number, line in enumerate(sys.stdin):
    Context.aws_request_id = f"invocation-{number}"
    try:
        response = lambda_handler(json.loads(line), Context())
    except Exception as error:
        response = {"exception": f"{type(error).__name__}: {error}"}
    print("response", json.dumps(response), flush=True)
print("modules", json.dumps(sorted(sys.modules)))
"""


def _run(bundle: Path, *authorizations: str, **variables: str) -> subprocess.CompletedProcess[str]:
    events = []
    for number, authorization in enumerate(authorizations):
        event = authorizer_event("http-2.0", "")
        event["routeArn"] = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/$default/GET/api/v1/auth/me"
        event |= {"rawPath": "/api/v1/auth/me", "routeKey": "GET /api/v1/auth/me"}
        event["identitySource"] = [authorization]
        event["headers"] |= {"authorization": authorization}
        event["requestContext"]["requestId"] = f"gateway-{number}"
        events.append(event)
    environment = {
        "PATH": os.environ["PATH"],
        "OIDC_ISSUER_URL": ISSUER,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS_FILE": str(bundle),
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input="".join(json.dumps(event) + "\n" for event in events),
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({**public_jwks("rsa-1"), "fetched_at": int(time.time())}))
    return path


def _valid() -> str:
    return f"Bearer {sign(good_claims(int(time.time())))}"


def _responses(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [
        json.loads(line.removeprefix("response ")) for line in done.stdout.splitlines() if line.startswith("response ")
    ]


def _lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_each_denial_is_logged_with_its_invocation(bundle: Path) -> None:
    without_tenant = f"Bearer {sign(good_claims(int(time.time()), tenant_id=None))}"
    done = _run(bundle, _valid(), "Bearer invalid", without_tenant)
    allowed, unauthorized, forbidden = _responses(done)
    assert allowed["isAuthorized"] is True
    assert unauthorized == {"exception": "Exception: Unauthorized"}
    assert forbidden["isAuthorized"] is False
    lines = _lines(done)
    assert [
        (line["message"], line["request_id"], line["function_request_id"], line["cold_start"]) for line in lines
    ] == [
        ("denied", "gateway-1", "invocation-1", False),
        ("denied", "gateway-2", "invocation-2", False),
    ]
    assert [line["context"]["error_code"] for line in lines] == ["AUTH_004", "AUTH_005"]  # type: ignore[index]
    assert done.stderr == ""


def test_the_first_invocation_is_the_cold_start(bundle: Path) -> None:
    [line] = _lines(_run(bundle, "Bearer invalid"))
    assert line["cold_start"] is True


def test_an_allowed_request_is_logged_only_at_debug(bundle: Path) -> None:
    assert _lines(_run(bundle, _valid())) == []
    [line] = _lines(_run(bundle, _valid(), LOG_LEVEL="DEBUG"))
    assert (line["message"], line["user_id"], line["tenant_id"]) == ("allowed", "user-1", TENANT)


def test_an_allowed_request_imports_nothing_unnecessary(bundle: Path) -> None:
    done = _run(bundle, _valid())
    modules = set(json.loads(done.stdout.splitlines()[-1].removeprefix("modules ")))
    slow = {"asyncio", "http.client", "ssl", "socket", "dataclasses", "inspect", "secrets", "hashlib", "urllib.parse"}
    ours = {
        "tenantgate.observability.logging",
        "tenantgate.tokens.fetch",
        "tenantgate.tokens.discovery",
        "tenantgate.settings.model",
    }
    assert not modules & (slow | ours)
    assert "cryptography.hazmat.primitives.asymmetric.ec" not in modules


def test_an_invalid_environment_stops_the_start_and_every_problem_is_named(bundle: Path) -> None:
    done = _run(bundle, OIDC_ISSUER_URL="http://issuer.example.test", JWKS_CACHE_TTL_SECONDS="often")
    assert done.returncode == 1
    assert "OIDC_ISSUER_URL='http://issuer.example.test': must be an https:// URL" in done.stderr
    assert "JWKS_CACHE_TTL_SECONDS='often': must be a whole number from 1 to 86400" in done.stderr
