"""The facts about an authorizer's part in a request, and results that a restart makes stale."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from lambda_gateway.authorizers.gate import AuthorizerGate
from lambda_gateway.authorizers.results import Allowed, Authorization, Denied, MissingIdentity, Reason
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Authorizer, Payload, Route
from lambda_gateway.runtime.failures import FunctionError

pytestmark = pytest.mark.anyio

ROUTE = Route("GET", "/a", function="F", authorizer="Gate")
SOURCE = "$request.header.Authorization"


class Guard:
    """A fake of the authorizer's function, with a clock."""

    def __init__(self, result: object) -> None:
        self.result = result
        self.calls = 0
        self.now = 0.0
        self.started = asyncio.Event()
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    async def invoke(self, _function: str, _payload: bytes, _trace_id: str) -> bytes:
        self.calls += 1
        # The result is of the code and rules at the begin of the invocation.
        result = self.result
        self.started.set()
        await self.may_finish.wait()
        if isinstance(result, Exception):
            raise result
        return json.dumps(result).encode()

    def gate(self, *, ttl: int = 60, simple: bool = True, validation: str | None = None) -> AuthorizerGate:
        pattern = None if validation is None else re.compile(validation)
        payload = Payload.V2 if simple else Payload.V1
        authorizer = Authorizer("Gate", "Guard", (SOURCE,), ttl, payload, simple=simple, validation=pattern)
        return AuthorizerGate(Api("It", (), {}), authorizer, self.invoke, clock=lambda: self.now)


def sent(trace_id: str = "first", token: str = "t") -> Request:
    headers = [("authorization", token)] if token else []
    return Request("GET", "/a", "", headers, trace_id=trace_id)


async def facts(gate: AuthorizerGate, request: Request) -> Authorization | None:
    return (await gate.decide(request, ROUTE, {})).authorization


ALLOW, DENY = {"isAuthorized": True}, {"isAuthorized": False}
NO_POLICY = {"principalId": "u", "policyDocument": {"Statement": []}}


@pytest.mark.parametrize(
    ("result", "denied"),
    [
        pytest.param(ALLOW, None, id="allowed"),
        pytest.param(DENY, Reason.EXPLICIT_DENY, id="denied"),
        pytest.param(FunctionError("Exception", "Unauthorized"), Reason.UNAUTHORIZED, id="rejected-credential"),
        pytest.param(FunctionError("KeyError", "'sub'"), Reason.FAILED, id="failed"),
        pytest.param({}, Reason.INVALID_RESULT, id="invalid-result"),
    ],
)
async def test_a_function_that_ran(result: object, denied: Reason | None) -> None:
    found = await facts(Guard(result).gate(), sent())
    assert found == Authorization("Guard", denied, trace_id="first")
    assert found.ran


async def test_a_cached_result_has_its_seconds_left_and_the_trace_id_of_its_request() -> None:
    guard = Guard(DENY)
    gate = guard.gate()
    await facts(gate, sent("first"))
    guard.now = 19.0
    found = await facts(gate, sent("second"))
    assert found == Authorization("Guard", Reason.EXPLICIT_DENY, seconds_left=41.0, trace_id="first")
    assert not found.ran


async def test_a_policy_is_named_as_one() -> None:
    found = await facts(Guard(NO_POLICY).gate(simple=False), sent())
    assert found == Authorization("Guard", Reason.IMPLICIT_DENY, trace_id="first", by_policy=True)


@pytest.mark.parametrize(
    ("token", "missing"),
    [
        pytest.param("", MissingIdentity(SOURCE), id="missing"),
        pytest.param("Basic x", MissingIdentity(SOURCE, mismatched=True), id="not-as-the-validation-requires"),
    ],
)
async def test_a_missing_identity_source_is_named(token: str, missing: MissingIdentity) -> None:
    guard = Guard(ALLOW)
    found = await facts(guard.gate(validation="Bearer .*"), sent(token=token))
    assert found == Authorization("Guard", Reason.UNAUTHORIZED, missing=missing, trace_id="first")
    assert not found.ran
    assert guard.calls == 0


async def test_a_restart_of_the_authorizer_drops_its_cached_results() -> None:
    guard = Guard(ALLOW)
    gate = guard.gate()
    assert await gate.decide(sent(), ROUTE, {}) == Allowed()
    guard.result = DENY
    gate.forget(["Another"])
    assert await gate.decide(sent(), ROUTE, {}) == Allowed()
    gate.forget(["Guard"])
    assert await gate.decide(sent(), ROUTE, {}) == Denied(Reason.EXPLICIT_DENY)


async def test_a_result_that_began_before_the_restart_is_not_cached() -> None:
    guard = Guard(ALLOW)
    gate = guard.gate()
    guard.may_finish.clear()
    running = asyncio.create_task(facts(gate, sent()))
    await guard.started.wait()
    gate.forget(["Guard"])
    guard.result = DENY
    guard.may_finish.set()
    await running
    assert await gate.decide(sent(), ROUTE, {}) == Denied(Reason.EXPLICIT_DENY)
    assert guard.calls == 2
