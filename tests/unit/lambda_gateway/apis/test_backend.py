"""The time that an API gives its authorizer."""

import pytest

from lambda_gateway.apis.backend import Backend
from lambda_gateway.authorizers.results import Denied, Reason
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Authorizer, Kind, Payload, Route
from lambda_gateway.observer import Observer
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError

pytestmark = pytest.mark.anyio


class SlowFunctions:
    """Functions that never respond in time."""

    def __init__(self) -> None:
        self.limits: list[float] = []

    async def invoke(self, name: str, payload: bytes, trace_id: str, limit: float) -> bytes:
        self.limits.append(limit)
        raise TimeoutError


@pytest.mark.parametrize(
    ("kind", "payload", "seconds"), [(Kind.HTTP, Payload.V2, 10.0), (Kind.REST, Payload.REQUEST, 29.0)]
)
async def test_only_an_http_api_stops_waiting_after_ten_seconds(kind: Kind, payload: Payload, seconds: float) -> None:
    functions, failed = SlowFunctions(), list[tuple[str, FunctionError | MalformedResponse]]()
    observer = Observer(failed=lambda name, error: failed.append((name, error)))
    api = Api("A", (), {"Gate": Authorizer("Gate", "Guard", payload=payload, simple=False)}, kind=kind)
    gate = Backend(functions, observer).gates(api)["Gate"]  # type: ignore[arg-type]

    decision = await gate.decide(Request("GET", "/", "", []), Route("GET", "/", function="F", authorizer="Gate"), {})

    assert isinstance(decision, Denied)
    assert decision.reason is Reason.FAILED
    assert functions.limits == [seconds]
    assert [(name, str(error)) for name, error in failed] == [
        ("Guard", f"no response within {seconds:g} s, API Gateway's limit")
    ]
