"""A Lambda authorizer in front of a route: invocation, cache and decisions."""

import json
import re
from typing import Any

import pytest

from lambda_gateway.authorizers.gate import AuthorizerGate
from lambda_gateway.authorizers.results import MAX_RESULT, Allowed, Denied, Reason
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Authorizer, Kind, Payload, Route
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError

pytestmark = pytest.mark.anyio

ROUTE = Route("GET", "/a", function="F", authorizer="Gate")
OTHER = Route("GET", "/b", function="F", authorizer="Gate")
ALLOW = {"isAuthorized": True, "context": {"user": "u"}}


class Guard:
    """A fake of the authorizer's function."""

    def __init__(self, result: object) -> None:
        self.result = result
        self.events: list[dict[str, Any]] = []
        self.problems: list[str] = []

    async def invoke(self, function: str, payload: bytes, trace_id: str) -> bytes:
        assert function == "Guard"
        assert trace_id.startswith("Root=")
        self.events.append(json.loads(payload))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result if isinstance(self.result, bytes) else json.dumps(self.result).encode()

    def on_invalid(self, function: str, problem: MalformedResponse) -> None:
        assert function == "Guard"
        self.problems.append(str(problem))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def gate(guard: Guard, *sources: str, ttl: int = 0, clock: Clock | None = None) -> AuthorizerGate:
    authorizer = Authorizer("Gate", "Guard", sources, ttl)
    return AuthorizerGate(Api("HttpApi", (), {}), authorizer, guard.invoke, clock=clock or Clock())


def policy_gate(
    guard: Guard,
    *sources: str,
    payload: Payload = Payload.REQUEST,
    ttl: int = 0,
    clock: Clock | None = None,
    validation: str | None = None,
) -> AuthorizerGate:
    pattern = None if validation is None else re.compile(validation)
    authorizer = Authorizer("Gate", "Guard", sources, ttl, payload, simple=False, validation=pattern)
    rest = payload in (Payload.TOKEN, Payload.REQUEST)
    api = Api("It", (), {}, kind=Kind.REST if rest else Kind.HTTP, stage="prod" if rest else "$default")
    return AuthorizerGate(api, authorizer, guard.invoke, on_invalid=guard.on_invalid, clock=clock or Clock())


def policy(*statements: tuple[str, str], **more: object) -> dict[str, object]:
    """Build a result with statements of (effect, resource after the API's id)."""
    return {
        "principalId": "u",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": effect,
                    "Action": "execute-api:Invoke",
                    "Resource": f"arn:aws:execute-api:us-east-1:123456789012:local/{resource}",
                }
                for effect, resource in statements
            ],
        },
        **more,
    }


def request(query: str = "", path: str = "/a", **headers: str) -> Request:
    return Request("GET", path, query, list(headers.items()))


async def decide(gate: AuthorizerGate, sent: Request, route: Route = ROUTE) -> object:
    decision = await gate.decide(sent, route, {})
    return decision.reason if isinstance(decision, Denied) else decision


UNAUTHORIZED, FORBIDDEN, FAILED = Reason.UNAUTHORIZED, Reason.EXPLICIT_DENY, Reason.FAILED
INVALID = Reason.INVALID_RESULT


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(ALLOW, Allowed({"user": "u"}), id="allowed"),
        pytest.param({"isAuthorized": True}, Allowed({}), id="allowed-without-context"),
        pytest.param({"isAuthorized": False, "context": {"a": "b"}}, FORBIDDEN, id="denied"),
        pytest.param(FunctionError("Exception", "Unauthorized"), UNAUTHORIZED, id="exception-with-the-exact-text"),
        pytest.param(FunctionError("Exception", "unauthorized"), FAILED, id="exception-with-nearly-the-text"),
        pytest.param(FunctionError("KeyError", "'sub'"), FAILED, id="exception"),
        pytest.param(TimeoutError(), FAILED, id="too-slow"),
        pytest.param(None, INVALID, id="nothing"),
        pytest.param(b"not json", INVALID, id="not-json"),
        pytest.param({"isAuthorized": "true"}, INVALID, id="not-a-boolean"),
        pytest.param({"principalId": "u", "policyDocument": {}}, INVALID, id="a-policy-instead-of-a-simple-result"),
        pytest.param({"isAuthorized": True, "context": "u"}, INVALID, id="context-not-an-object"),
    ],
)
async def test_results(result: object, expected: object) -> None:
    assert await decide(gate(Guard(result)), request()) == expected


async def test_a_missing_identity_source_is_a_401_without_an_invocation() -> None:
    guard = Guard(ALLOW)
    guarded = gate(guard, "$request.header.Authorization", "$request.querystring.key")
    assert await decide(guarded, request("key=1")) == UNAUTHORIZED
    assert await decide(guarded, request(authorization="x")) == UNAUTHORIZED
    assert await decide(guarded, request("key=1", authorization="")) == UNAUTHORIZED
    assert guard.events == []
    assert await decide(guarded, request("key=1", authorization="x")) == Allowed({"user": "u"})
    assert guard.events[0]["identitySource"] == ["x", "1"]


async def test_without_identity_sources_it_is_always_invoked() -> None:
    guard = Guard(ALLOW)
    await decide(gate(guard), request())
    assert guard.events[0]["identitySource"] == []


async def test_without_a_ttl_nothing_is_cached() -> None:
    guard = Guard(ALLOW)
    guarded = gate(guard, "$request.header.Authorization")
    for _ in range(2):
        await decide(guarded, request(authorization="x"))
    assert len(guard.events) == 2


async def test_results_are_cached_by_identity_for_all_routes() -> None:
    guard, clock = Guard(ALLOW), Clock()
    guarded = gate(guard, "$request.header.Authorization", ttl=60, clock=clock)
    await decide(guarded, request(authorization="x"))
    guard.result = {"isAuthorized": False}
    clock.now = 59.0
    assert await decide(guarded, request(authorization="x"), OTHER) == Allowed({"user": "u"})
    assert await decide(guarded, request(authorization="y")) == FORBIDDEN
    clock.now = 60.0
    assert await decide(guarded, request(authorization="x")) == FORBIDDEN


async def test_the_route_can_be_part_of_the_identity() -> None:
    guard = Guard(ALLOW)
    guarded = gate(guard, "$request.header.Authorization", "$context.routeKey", ttl=60)
    await decide(guarded, request(authorization="x"), ROUTE)
    guard.result = {"isAuthorized": False}
    assert await decide(guarded, request(authorization="x"), OTHER) == FORBIDDEN


@pytest.mark.parametrize("failure", [FunctionError("Exception", "Unauthorized"), FunctionError("E", "boom"), None])
async def test_failures_are_not_cached(failure: object) -> None:
    guard = Guard(failure)
    guarded = gate(guard, "$request.header.Authorization", ttl=60)
    await decide(guarded, request(authorization="x"))
    guard.result = ALLOW
    assert await decide(guarded, request(authorization="x")) == Allowed({"user": "u"})


@pytest.mark.parametrize("payload", [Payload.TOKEN, Payload.REQUEST, Payload.V1, Payload.V2])
async def test_a_cached_policy_is_evaluated_for_each_request(payload: Payload) -> None:
    stage = "$default" if payload in (Payload.V1, Payload.V2) else "prod"
    guard = Guard(
        policy(("Allow", f"{stage}/GET/a"), ("Allow", f"{stage}/GET/items/*"), ("Deny", f"{stage}/GET/items/9"))
    )
    guarded = policy_gate(guard, "$request.header.authorization", payload=payload, ttl=60)
    expected = {
        "/a": Allowed({}, "u"),
        "/b": Reason.IMPLICIT_DENY,
        "/items/1": Allowed({}, "u"),
        "/items/9": Reason.EXPLICIT_DENY,
    }
    for path in (*expected, *reversed(expected)):
        assert (path, await decide(guarded, request(path=path, authorization="x"))) == (path, expected[path])
    assert len(guard.events) == 1


async def test_a_cached_denial_is_evaluated_for_each_request_too() -> None:
    guard = Guard(policy(("Allow", "prod/GET/b")))
    guarded = policy_gate(guard, "method.request.header.authorization", ttl=60)
    assert await decide(guarded, request(path="/a", authorization="x")) is Reason.IMPLICIT_DENY
    assert await decide(guarded, request(path="/b", authorization="x")) == Allowed({}, "u")
    assert len(guard.events) == 1


async def test_a_tokens_form_is_checked_before_the_invocation() -> None:
    guard = Guard(policy(("Allow", "prod/GET/a")))
    guarded = policy_gate(guard, "method.request.header.Token", payload=Payload.TOKEN, validation="Bearer [a-z]+")
    for token in ("", "Bearer 1", "Bearer a b", "x Bearer a"):
        assert await decide(guarded, request(token=token)) is UNAUTHORIZED
    assert await decide(guarded, request()) is UNAUTHORIZED
    assert guard.events == []
    assert await decide(guarded, request(token="Bearer a")) == Allowed({}, "u")
    assert guard.events == [
        {
            "type": "TOKEN",
            "methodArn": "arn:aws:execute-api:us-east-1:123456789012:local/prod/GET/a",
            "authorizationToken": "Bearer a",
        }
    ]


async def test_a_denials_context_is_kept_for_gateway_responses() -> None:
    guard = Guard(policy(("Deny", "prod/*"), context={"code": "AUTH_010"}))
    decision = await policy_gate(guard).decide(request(), ROUTE, {})
    assert decision == Denied(Reason.EXPLICIT_DENY, {"code": "AUTH_010"})


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        pytest.param({"isAuthorized": True}, "`principalId` must be", id="a-simple-result"),
        pytest.param(policy(("Allow", "*")) | {"principalId": 7}, "`principalId` must be", id="principal-not-a-string"),
        pytest.param({"principalId": "u"}, "`policyDocument` must be", id="no-policy"),
        pytest.param(policy(context={"roles": ["a"]}), "`context.roles` must be", id="context-with-a-list"),
        pytest.param(policy(context={"claims": {}}), "`context.claims` must be", id="context-with-an-object"),
        pytest.param(policy(context={"tenant": None}), "`context.tenant` must be", id="context-with-null"),
        pytest.param(policy(context={"a": "x" * MAX_RESULT}), "bytes; API Gateway's limit is 8192", id="too-long"),
        pytest.param(policy(("Permit", "*")), "Effect must be", id="unknown-effect"),
        pytest.param([], "isn't an object", id="a-list"),
    ],
)
@pytest.mark.parametrize("payload", [Payload.TOKEN, Payload.REQUEST, Payload.V1])
async def test_invalid_results_are_reported_and_not_cached(payload: Payload, result: object, problem: str) -> None:
    guard = Guard(result)
    guarded = policy_gate(guard, "$request.header.authorization", payload=payload, ttl=60)
    assert await decide(guarded, request(authorization="x")) is INVALID
    assert problem in guard.problems[0]
    guard.result = ALLOW
    await decide(guarded, request(authorization="x"))
    assert len(guard.events) == 2


async def test_payload_2_allows_any_context() -> None:
    guard = Guard(policy(("Allow", "*"), context={"roles": ["a"], "claims": {"b": None}}))
    decision = await decide(policy_gate(guard, payload=Payload.V2), request())
    assert decision == Allowed({"roles": ["a"], "claims": {"b": None}}, "u")


@pytest.mark.parametrize("ttl", [0, 60])
async def test_a_result_for_one_route_applies_to_another_only_when_it_is_cached(ttl: int) -> None:
    """Simple results need TTL 0, or the route among the identity sources."""
    guard = Guard(ALLOW)
    guarded = gate(guard, "$request.header.authorization", ttl=ttl)
    await decide(guarded, request(authorization="x"), ROUTE)
    guard.result = {"isAuthorized": False}
    applies = await decide(guarded, request(authorization="x"), OTHER) == Allowed({"user": "u"})
    assert applies is bool(ttl)
