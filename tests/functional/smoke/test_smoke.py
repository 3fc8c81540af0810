"""`tenantgate smoke` against an API with one fault at a time: each is found, by the line that names it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tenantgate_cli.main import app
from tests.fixtures.servers.scripted_api import TOKEN, Reply, ScriptedApi, error, scripted_api

DENIED = error(401, "AUTH_007", www_authenticate="Bearer")
ALLOWED_FOR_ALL = {
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    "access-control-allow-headers": "authorization",
}
UNFRAMED = Reply(200, {"status": "ok"}).without("x-frame-options")
NAMES = (
    *("live", "ready", "security headers", "no token", "authorizer", "forged token", "token", "missing scope"),
    *("preflight", "catch-all", "encoded path", "sign-in"),
)


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as served:
        yield served


def smoke(api: ScriptedApi, folder: Path, *options: str, token: str = TOKEN) -> Result:
    arguments = ["smoke", api.url, "--data-dir", str(folder), "--scoped", "GET /orders", *options]
    return CliRunner().invoke(app, arguments, env={"TENANTGATE_TOKEN": token})


def checks(result: Result) -> dict[str, dict[str, Any]]:
    (line,) = result.stdout.splitlines()
    shown = json.loads(line)
    assert shown["ok"] is (result.exit_code == 0)
    return {check["check"]: check for check in shown["checks"]}


def test_a_sound_api_passes_every_check(api: ScriptedApi, tmp_path: Path) -> None:
    result = smoke(api, tmp_path, "--json")

    assert result.exit_code == 0
    found = checks(result)
    assert tuple(found) == NAMES
    assert {check["status"] for check in found.values()} == {"ok"}


def test_without_a_token_only_its_lines_are_skipped_with_the_reason(api: ScriptedApi, tmp_path: Path) -> None:
    result = smoke(api, tmp_path, "--json", token="")

    skipped = {name: check["found"] for name, check in checks(result).items() if check["status"] == "skipped"}
    assert set(skipped) == {"token", "missing scope"}
    assert all("--token -" in reason for reason in skipped.values())
    assert result.exit_code == 0


def test_the_token_is_read_from_standard_input_and_never_printed(api: ScriptedApi, tmp_path: Path) -> None:
    api.changes["GET /api/v1/auth/me"] = Reply(500, None, {"location": "x"})
    arguments = ["smoke", api.url, "--data-dir", str(tmp_path), "--token", "-"]

    result = CliRunner().invoke(app, arguments, input="a-very-secret-token\n")

    assert ("GET /api/v1/auth/me", "Bearer a-very-secret-token") in api.requests
    assert "a-very-secret-token" not in result.output


@pytest.mark.parametrize(
    ("expected", "request_line", "reply"),
    [
        ("ready: failed", "GET /api/v1/health/ready", error(503, "SYS_001")),
        ("ready: warning", "GET /api/v1/health/ready", Reply(200, {"checks": {"cache": "warning"}})),
        ("security headers: failed", "GET /api/v1/health/live", UNFRAMED),
        ("no token: failed", "GET /api/v1/auth/validate", Reply(200, {"valid": True})),
        ("no token: warning", "GET /api/v1/auth/validate", error(401, "AUTH_007")),
        ("no token: ok", "GET /api/v1/auth/validate",
         Reply(401, None, {"x-amzn-Remapped-WWW-Authenticate": "Bearer"})),
        ("authorizer: failed", "GET /api/v1/auth/me", Reply(200, {"user_id": "u", "tenant_id": "t"})),
        ("authorizer: failed", "GET /api/v1/auth/me", Reply(500, {"message": "Internal Server Error"})),
        ("forged token: failed", "GET /api/v1/auth/me", Reply(200, {"user_id": "u", "tenant_id": "t"})),
        ("token: failed", "GET /api/v1/auth/me", DENIED),
        ("token: failed", "GET /api/v1/auth/me", Reply(200, {"user_id": "u"})),
        ("missing scope: failed", "GET /orders", Reply(200, {})),
        ("missing scope: failed", "GET /orders", DENIED),
        ("preflight: failed", "OPTIONS /api/v1/auth/me", Reply(204, None, ALLOWED_FOR_ALL)),
        ("preflight: failed", "OPTIONS /api/v1/auth/me", error(404, "VAL_005")),
        ("preflight: warning", "OPTIONS /api/v1/auth/me", Reply(204, None, {})),
        ("catch-all: failed", "DELETE /api/v1/auth/me", error(404, "VAL_005")),
        ("catch-all: failed", "DELETE /api/v1/auth/me", error(405, "VAL_006")),
        ("catch-all: failed", "GET /api/v1/smoke-test-of-an-unknown-path", Reply(404, {"message": "Not Found"})),
        ("encoded path: failed", "GET /api/v1/auth%2Fme", Reply(200, {"user_id": "u"})),
        ("encoded path: failed", "GET /api/v1/auth/me%00", Reply(500, None)),
        ("sign-in: failed", "GET /api/v1/auth/login", error(503, "PROV_001")),
        ("sign-in: failed", "GET /api/v1/auth/login", Reply(200, {"authorization_url": "http://id.example.com/a"})),
    ],
)  # fmt: skip
def test_one_fault_is_found(expected: str, request_line: str, reply: Reply, api: ScriptedApi, tmp_path: Path) -> None:
    check, _, status = expected.partition(": ")
    api.changes[request_line] = reply

    # Readiness is repeated for as long.
    result = smoke(api, tmp_path, "--json", "--timeout", "6")

    found = checks(result)
    assert found[check]["status"] == status, found
    assert bool(found[check]["fix"]) is (status != "ok")
    assert result.exit_code == int(any(each["status"] == "failed" for each in found.values()))


def test_an_allowed_origin_that_was_named_must_be_allowed(api: ScriptedApi, tmp_path: Path) -> None:
    found = checks(smoke(api, tmp_path, "--json", "--origin", "https://app.example.com"))

    assert found["preflight"]["status"] == "failed"


def test_a_redirect_elsewhere_is_a_failure_and_is_not_followed(api: ScriptedApi, tmp_path: Path) -> None:
    with scripted_api() as other:
        for path in ("/api/v1/auth/me", "/api/v1/auth/validate", "/orders"):
            api.changes[f"GET {path}"] = Reply(302, None, {"location": f"{other.url}{path}"})

        found = checks(smoke(api, tmp_path, "--json"))

        assert other.requests == []
    assert {name for name, check in found.items() if check["status"] == "failed"} == {
        *("no token", "authorizer", "forged token", "token", "missing scope"),
    }
    assert "not followed" in found["no token"]["found"]


def test_when_nothing_listens_the_rest_is_not_sent(api: ScriptedApi, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["smoke", "http://127.0.0.1:1", "--data-dir", str(tmp_path), "--json"])

    found = checks(result)
    assert result.exit_code == 1
    assert found["live"]["status"] == "failed"
    assert {check["status"] for name, check in found.items() if name != "live"} == {"skipped"}
    assert {check["milliseconds"] for name, check in found.items() if name != "live"} == {None}


def test_readiness_is_repeated_after_a_cold_start(api: ScriptedApi, tmp_path: Path) -> None:
    def cold(handler: BaseHTTPRequestHandler) -> None:
        del api.changes["GET /api/v1/health/ready"]
        handler.send_response(503)
        handler.send_header("content-length", "0")
        handler.end_headers()

    api.changes["GET /api/v1/health/ready"] = cold

    assert checks(smoke(api, tmp_path, "--json"))["ready"]["status"] == "ok"


def slowly(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte every 50 ms for a minute: each one would start a client's usual time limit again."""
    handler.send_response(200)
    handler.send_header("content-length", "1200")
    handler.end_headers()
    for _ in range(1200):
        handler.wfile.write(b" ")
        time.sleep(0.05)


def never(handler: BaseHTTPRequestHandler) -> None:
    threading.Event().wait(60)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [(slowly, "no complete response within 3 s"), (never, "no complete response within 3 s"), (endless, "longer than")],
)
def test_a_response_that_never_ends_ends_at_the_limit(
    behaviour: Callable[[BaseHTTPRequestHandler], None], words: str, api: ScriptedApi, tmp_path: Path
) -> None:
    api.changes["GET /api/v1/auth/validate"] = behaviour
    began = time.monotonic()

    found = checks(smoke(api, tmp_path, "--json", "--timeout", "3"))

    assert time.monotonic() - began < 50
    assert words in found["no token"]["found"]
    assert found["no token"]["fix"]


@pytest.mark.parametrize("token", ["a b", "a\tb", "ä"])
def test_a_text_that_cannot_be_a_token_is_not_sent(token: str, api: ScriptedApi, tmp_path: Path) -> None:
    result = smoke(api, tmp_path, token=token)

    assert result.exit_code == 1
    assert api.requests == []
