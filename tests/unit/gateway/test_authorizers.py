"""A Lambda authorizer in front of a route: who is asked, what is cached, what the client is told."""

import json
from typing import Any

import pytest

from tenantgate_cli.gateway.authorizers import Allowed, AuthorizerGate
from tenantgate_cli.gateway.events import Request
from tenantgate_cli.gateway.model import Authorizer, Route
from tenantgate_cli.gateway.responses import Response
from tenantgate_cli.gateway.runtime import FunctionError

pytestmark = pytest.mark.anyio

ROUTE = Route("GET", "/a", function="F", authorizer="Gate")
OTHER = Route("GET", "/b", function="F", authorizer="Gate")
ALLOW = {"isAuthorized": True, "context": {"user": "u"}}


class Guard:
    """Stands for the authorizer's function."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []

    async def invoke(self, function: str, payload: bytes, trace_id: str) -> bytes:
        assert function == "Guard"
        assert trace_id.startswith("Root=")
        self.events.append(json.loads(payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def gate(guard: Guard, *sources: str, ttl: int = 0, clock: Clock | None = None) -> AuthorizerGate:
    return AuthorizerGate(Authorizer("Gate", "Guard", sources, ttl), guard.invoke, clock=clock or Clock())


def request(query: str = "", **headers: str) -> Request:
    return Request("GET", "/a", query, list(headers.items()))


async def decide(gate: AuthorizerGate, sent: Request, route: Route = ROUTE) -> object:
    decision = await gate.decide(sent, route, {})
    return (decision.status, decision.body) if isinstance(decision, Response) else decision


UNAUTHORIZED = (401, b'{"message":"Unauthorized"}')
FORBIDDEN = (403, b'{"message":"Forbidden"}')
FAILED = (500, b'{"message":"Internal Server Error"}')


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(ALLOW, Allowed({"user": "u"}), id="allowed"),
        pytest.param({"isAuthorized": True}, Allowed({}), id="allowed-without-context"),
        pytest.param({"isAuthorized": False, "context": {"a": "b"}}, FORBIDDEN, id="denied"),
        pytest.param(FunctionError("Exception", "Unauthorized"), UNAUTHORIZED, id="exception-with-the-exact-text"),
        pytest.param(FunctionError("Exception", "unauthorized"), FAILED, id="exception-with-nearly-the-text"),
        pytest.param(FunctionError("KeyError", "'sub'"), FAILED, id="exception"),
        pytest.param(TimeoutError(), FAILED, id="too-slow"),
        pytest.param(None, FAILED, id="nothing"),
        pytest.param(b"not json", FAILED, id="not-json"),
        pytest.param({"isAuthorized": "true"}, FAILED, id="not-a-boolean"),
        pytest.param({"principalId": "u", "policyDocument": {}}, FAILED, id="a-policy-where-none-is-wanted"),
        pytest.param({"isAuthorized": True, "context": "u"}, FAILED, id="context-not-an-object"),
    ],
)
async def test_answers(answer: object, expected: object) -> None:
    assert await decide(gate(Guard(answer)), request()) == expected


async def test_a_missing_identity_source_is_a_401_without_asking() -> None:
    guard = Guard(ALLOW)
    guarded = gate(guard, "$request.header.Authorization", "$request.querystring.key")
    assert await decide(guarded, request("key=1")) == UNAUTHORIZED
    assert await decide(guarded, request(authorization="x")) == UNAUTHORIZED
    assert await decide(guarded, request("key=1", authorization="")) == UNAUTHORIZED
    assert guard.events == []
    assert await decide(guarded, request("key=1", authorization="x")) == Allowed({"user": "u"})
    assert guard.events[0]["identitySource"] == ["x", "1"]


async def test_without_identity_sources_it_is_always_asked() -> None:
    guard = Guard(ALLOW)
    await decide(gate(guard), request())
    assert guard.events[0]["identitySource"] is None


async def test_without_a_ttl_nothing_is_cached() -> None:
    guard = Guard(ALLOW)
    guarded = gate(guard, "$request.header.Authorization")
    for _ in range(2):
        await decide(guarded, request(authorization="x"))
    assert len(guard.events) == 2


async def test_answers_are_cached_by_identity_whatever_the_route() -> None:
    guard, clock = Guard(ALLOW), Clock()
    guarded = gate(guard, "$request.header.Authorization", ttl=60, clock=clock)
    await decide(guarded, request(authorization="x"))
    guard.answer = {"isAuthorized": False}
    clock.now = 59.0
    assert await decide(guarded, request(authorization="x"), OTHER) == Allowed({"user": "u"})
    assert await decide(guarded, request(authorization="y")) == FORBIDDEN
    clock.now = 60.0
    assert await decide(guarded, request(authorization="x")) == FORBIDDEN


async def test_the_route_can_be_part_of_the_identity() -> None:
    guard = Guard(ALLOW)
    guarded = gate(guard, "$request.header.Authorization", "$context.routeKey", ttl=60)
    await decide(guarded, request(authorization="x"), ROUTE)
    guard.answer = {"isAuthorized": False}
    assert await decide(guarded, request(authorization="x"), OTHER) == FORBIDDEN


@pytest.mark.parametrize("failure", [FunctionError("Exception", "Unauthorized"), FunctionError("E", "boom"), None])
async def test_failures_are_not_cached(failure: object) -> None:
    guard = Guard(failure)
    guarded = gate(guard, "$request.header.Authorization", ttl=60)
    await decide(guarded, request(authorization="x"))
    guard.answer = ALLOW
    assert await decide(guarded, request(authorization="x")) == Allowed({"user": "u"})
