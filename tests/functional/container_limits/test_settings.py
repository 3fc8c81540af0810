"""The server's settings: the documented limits in every worker, and no trust in a proxy's headers."""

from __future__ import annotations

import pickle
import re

import httpx2
import pytest

from container.connections import ConnectionLimits
from container.server import SERVER_OPTIONS
from tenantgate.web.errors import VAL_008, VAL_009
from tenantgate.web.request_body import LONGEST_BODY
from tenantgate_cli.paths import ROOT

FORWARDED = {
    "forwarded": 'for=6.6.6.6;host=evil.example;proto="http"',
    "x-forwarded-for": "6.6.6.6",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "http",
    "x-forwarded-port": "1",
    "x-forwarded-prefix": "/evil",
    "x-real-ip": "6.6.6.6",
    "x-original-url": "/api/v1/auth/me",
    "x-rewrite-url": "/api/v1/auth/me",
    "x-http-method-override": "DELETE",
    "host": "evil.example",
}


@pytest.mark.parametrize("path", ["/", "/api/v1/health/live", "/api/v1/auth/callback?code=a&state=b", "/nowhere"])
@pytest.mark.parametrize("name", FORWARDED)
def test_no_header_of_a_proxy_changes_a_response(name: str, path: str, port: int) -> None:
    def ask(**headers: str) -> tuple[int, str, list[str]]:
        response = httpx2.get(
            f"http://127.0.0.1:{port}{path}", headers={"accept": "text/html", **headers}, trust_env=False
        )
        body = re.sub(r"[0-9a-f]{32}|[\w-]{22}|\d{10}", "", response.text)
        return response.status_code, body, response.headers.get_list("location")

    assert ask(**{name: FORWARDED[name]}) == ask()
    assert "evil" not in ask(**{name: FORWARDED[name]})[1]


def test_the_limits_are_those_in_the_documents() -> None:
    protocol = SERVER_OPTIONS["http"]
    used = protocol.limits
    assert used == ConnectionLimits()
    assert SERVER_OPTIONS["proxy_headers"] is False
    assert used.connections + used.spare_connections < 1024 - 100, "descriptors are left for everything else"
    assert used.header_bytes > 10_240, "no stricter than API Gateway"
    page = (ROOT / "docs" / "API_ARCHITECTURE.md").read_text("utf-8")
    for row in (
        f"| connections served at once | {used.connections} | 503 `SYS_010`",
        f"; more than {used.spare_connections} of these are closed",
        f"| request line and headers | {used.header_bytes // 1024} KiB |",
        f"| time for the headers | {used.header_seconds:g} s |",
        f"| time for a body, if the route reads it | {used.body_seconds:g} s |",
        f"| time for any body | {used.request_seconds:g} s |",
        f"| time until the client reads written data | {used.response_seconds:g} s |",
        f"| time between two requests | {used.idle_seconds} s |",
        f"| body | {LONGEST_BODY // 1024} KiB |",
    ):
        assert row in page
    assert f" {used.header_seconds:g} seconds after the connection" in VAL_008.cause
    assert f" {used.body_seconds:g} seconds after the headers" in VAL_008.cause.replace("\n", " ")
    assert f" {used.header_bytes // 1024} KiB" in VAL_009.cause


def test_several_workers_have_the_limits_too() -> None:
    # Worker processes get pickled settings from uvicorn.
    assert pickle.loads(pickle.dumps(dict(SERVER_OPTIONS))) == SERVER_OPTIONS
