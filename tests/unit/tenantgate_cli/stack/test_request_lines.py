"""Requests and the authorizer's lines about them arrive in any order."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from lambda_gateway.authorizers.results import Authorization, MissingIdentity, Reason
from lambda_gateway.observer import Handled
from tenantgate_cli.stack import request_lines
from tenantgate_cli.stack.request_lines import GATEWAY, RequestLines, gateway_line

pytestmark = pytest.mark.anyio

ROLE = 'missing_role (clerk) by "GET /a"'


class Printed:
    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []
        self.logged: list[tuple[str, str]] = []
        self.lines = RequestLines(
            lambda handled, words: self.words.append((handled.path, words)),
            lambda name, line: self.logged.append((name, line)),
        )


def request(trace: str = "1-a", path: str = "/a", **facts: object) -> Handled:
    seen = replace(Authorization("Gate", Reason.EXPLICIT_DENY, trace_id=f"Root={trace};Parent=1"), **facts)  # type: ignore[arg-type]
    return Handled(
        "GET", path, 403, 0.01, f"id-{trace}", "GET /a", "", "Orders", f"Root={trace};Parent=1", seen, "Orders"
    )


def denial(trace: str = "1-a") -> str:
    context = {"reason": "missing_role", "rule": "GET /a", "expected": ["clerk"], "actual": []}
    return json.dumps({"message": "denied", "trace_id": f"Root={trace}", "context": context}, separators=(",", ":"))


async def test_the_reason_may_come_before_or_after_the_request() -> None:
    printed = Printed()
    printed.lines.output("Gate", denial("1-a"))
    printed.lines.handled(request("1-a"))
    assert printed.words == [("/a", f"denied: {ROLE}")]
    printed.lines.handled(request("1-b"))
    assert len(printed.words) == 1
    printed.lines.output("Gate", denial("1-b"))
    assert printed.words[1:] == [("/a", f"denied: {ROLE}")]


async def test_a_line_without_a_reason_waits_only_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_lines, "PATIENCE", 0.0)
    printed = Printed()
    printed.lines.handled(request())
    await asyncio.sleep(0.01)
    assert printed.words == [("/a", "denied by Gate")]


async def test_waiting_lines_are_printed_at_the_end() -> None:
    printed = Printed()
    printed.lines.handled(request())
    printed.lines.flush()
    assert printed.words == [("/a", "denied by Gate")]


async def test_another_function_can_not_give_a_reason() -> None:
    printed = Printed()
    printed.lines.output("Backend", denial())
    printed.lines.handled(request())
    printed.lines.flush()
    assert printed.words == [("/a", "denied by Gate")]


async def test_a_cached_result_has_the_reason_of_the_request_that_it_was_made_for() -> None:
    printed = Printed()
    printed.lines.output("Gate", denial("1-a"))
    printed.lines.handled(request("1-a"))
    again = replace(request("1-b").authorization, trace_id="Root=1-a;Parent=1", seconds_left=41.0)  # type: ignore[type-var]
    printed.lines.handled(replace(request("1-b"), authorization=again))
    assert printed.words[1:] == [("/a", f"from the authorizer's cache, 41 s left: {ROLE}")]


async def test_a_cached_policy_has_the_reason_only_for_the_same_path() -> None:
    printed = Printed()
    printed.lines.output("Gate", denial("1-a"))
    printed.lines.handled(request("1-a", by_policy=True))
    for path in ("/a", "/b"):
        again = Authorization(
            "Gate", Reason.IMPLICIT_DENY, seconds_left=41.0, trace_id="Root=1-a;Parent=1", by_policy=True
        )
        printed.lines.handled(replace(request("1-b", path), authorization=again))
    assert printed.words[1:] == [
        ("/a", f"from the authorizer's cache, 41 s left: {ROLE}"),
        ("/b", "from the authorizer's cache, 41 s left"),
    ]


async def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_lines, "_MOST_ORIGINS", 2)
    printed = Printed()
    for trace in ("1-a", "1-b", "1-c"):
        printed.lines.output("Gate", denial(trace))
    again = Authorization("Gate", Reason.EXPLICIT_DENY, seconds_left=41.0, trace_id="Root=1-a")
    printed.lines.handled(replace(request("1-d"), authorization=again))
    assert printed.words == [("/a", "from the authorizer's cache, 41 s left")]


async def test_every_request_is_in_the_gateways_log() -> None:
    printed = Printed()
    printed.lines.handled(request(missing=MissingIdentity("$request.header.Authorization")))
    [(name, text)] = printed.logged
    written = json.loads(text)
    assert name == GATEWAY
    assert written["message"].startswith("403 from the gateway: the Authorization header is missing")
    assert (written["request_id"], written["trace_id"]) == ("id-1-a", "Root=1-a")
    assert written["context"]["authorizer_result"] == "not called"


async def test_a_jwt_authorizers_denial_waits_for_no_line() -> None:
    printed = Printed()
    own = Authorization("", Reason.UNAUTHORIZED, trace_id="Root=1-a", jwt="Native", problem="the token has expired")
    printed.lines.handled(replace(request(), authorization=own))
    assert printed.words == [("/a", "from the JWT authorizer Native: the token has expired")]
    context = json.loads(printed.logged[0][1])["context"]
    assert (context["authorizer"], context["authorizer_result"], context["denied"]) == ("Native", "jwt", True)


def test_the_line_of_the_gateways_log() -> None:
    again = Authorization("Gate", Reason.EXPLICIT_DENY, seconds_left=41.7, trace_id="Root=1-0;Parent=1")
    line = gateway_line(
        replace(request(), authorization=again), "from the authorizer's cache", "no_rule", 1_790_000_000.25
    )
    assert json.loads(line) == {
        "timestamp": "2026-09-21T14:13:20.250Z",
        "level": "INFO",
        "logger": "lambda_gateway",
        "message": "403 from the authorizer's cache",
        "service": "api-gateway",
        "request_id": "id-1-a",
        "trace_id": "Root=1-a",
        "context": {
            "method": "GET",
            "path": "/a",
            "api": "Orders",
            "route": "GET /a",
            "function": None,
            "status": 403,
            "duration_ms": 10,
            "authorizer": "Gate",
            "authorizer_result": "cached",
            "decided_in": "Root=1-0",
            "denied": True,
            "reason": "no_rule",
            "seconds_left": 41,
        },
    }


def test_a_token_in_a_path_is_not_written() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLW9mLXRoZS1jYW5hcnk"
    assert "eyJ" not in gateway_line(request(path=f"/a/{token}"), f"no such route {token}")


def refused(trace: str = "1-a", **context: object) -> str:
    named = {"error_code": "AUTH_004", "kind": "WrongAudience", "reason": "aud names another audience"}
    record = {"message": "request refused", "trace_id": f"Root={trace}", "context": {**named, **context}}
    return json.dumps(record, separators=(",", ":"))


def responded(status: int, trace: str = "1-a") -> Handled:
    return Handled("GET", "/a", status, 0.01, f"id-{trace}", "GET /a", "F", "Orders", f"Root={trace};Parent=1")


PRIVATE: dict[str, object] = {"private": {"expected": ["orders"], "actual": "billing"}}
ERRORS = [
    (refused("1-a", **PRIVATE), "AUTH_004: wrong_audience (billing instead of orders)"),
    (refused(kind="SessionExpired", error_code="AUTH_030"), "AUTH_030: session_expired"),
    (refused(kind=None), "AUTH_004"),
    (refused(private="x", kind="MalformedToken"), "AUTH_004: malformed_token"),
    (refused(error_code=None), ""),
    (refused("1-b"), ""),
]


@pytest.mark.parametrize(("line", "words"), ERRORS)
@pytest.mark.parametrize("first", [True, False])
async def test_the_error_of_a_function_is_its_code_and_reason(line: str, words: str, *, first: bool) -> None:
    printed = Printed()
    if first:
        printed.lines.output("F", line)
    printed.lines.handled(responded(401))
    if not first:
        printed.lines.output("F", line)
    printed.lines.flush()
    assert printed.words == [("/a", words)]


async def test_the_error_of_a_function_without_a_line_waits_only_a_moment() -> None:
    printed = Printed()
    printed.lines.handled(responded(404))
    assert printed.words == []
    await asyncio.sleep(request_lines.PATIENCE_FOR_FUNCTIONS + 0.05)
    assert printed.words == [("/a", "")]


async def test_a_response_without_an_error_does_not_wait() -> None:
    printed = Printed()
    printed.lines.handled(responded(200))
    assert printed.words == [("/a", "")]


async def test_another_functions_error_is_not_that_of_the_request() -> None:
    printed = Printed()
    printed.lines.output("G", refused())
    printed.lines.handled(responded(401))
    printed.lines.flush()
    assert printed.words == [("/a", "")]


async def test_concurrent_requests_have_their_own_reasons() -> None:
    printed = Printed()
    traces = [f"1-{number}" for number in range(50)]
    for trace in traces:
        printed.lines.handled(request(trace, f"/{trace}"))
    for trace in reversed(traces):
        line = json.loads(denial(trace))
        line["context"]["expected"] = [trace]
        printed.lines.output("Gate", json.dumps(line, separators=(",", ":")))
    assert sorted(printed.words) == sorted(
        (f"/{trace}", f'denied: missing_role ({trace}) by "GET /a"') for trace in traces
    )
