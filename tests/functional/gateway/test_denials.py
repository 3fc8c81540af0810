"""The facts that the gateway reports about a denied request, over functions under the real runtime client."""

from __future__ import annotations

import pytest

from lambda_gateway.authorizers.results import MissingIdentity, Reason
from lambda_gateway.observer import Handled
from tests.fixtures.gateway.project import HEAD, event, function_resource
from tests.functional.gateway.conftest import ECHO, Serve

pytestmark = pytest.mark.anyio

TEMPLATE = (
    HEAD
    + """\
    Properties:
      Auth:
        DefaultAuthorizer: Gate
        Authorizers:
          Gate:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: { Headers: [Authorization], ReauthorizeEvery: 300 }
"""
    + function_resource("Echo", "echo", event("GET", "/a"))
    + function_resource("Guard", "guard")
)
GUARD = """\
def lambda_handler(event, context):
    return {"isAuthorized": event["headers"]["authorization"] == "%s"}
"""


async def test_a_denied_request_names_no_function_that_did_not_run(serve: Serve) -> None:
    async with serve(TEMPLATE, echo=ECHO, guard=GUARD % "good") as running:

        async def facts(status: int, path: str = "/a", **headers: str) -> Handled:
            response = await running.client.get(path, headers=headers)
            handled = running.handled[-1]
            assert (response.status_code, handled.status) == (status, status)
            assert handled.request_id == response.headers["apigw-requestid"]
            return handled

        unidentified = await facts(401)
        assert (unidentified.function, unidentified.route_key) == ("", "GET /a")
        assert unidentified.authorization is not None
        assert unidentified.authorization.missing == MissingIdentity("$request.header.Authorization")
        assert running.gateway.functions["Guard"].environments == 0

        denied = await facts(403, authorization="bad")
        assert denied.function == ""
        assert denied.authorization is not None
        assert (denied.authorization.denied, denied.authorization.ran) == (Reason.EXPLICIT_DENY, True)
        assert denied.authorization.trace_id == denied.trace_id

        cached = await facts(403, authorization="bad")
        assert cached.authorization is not None
        assert not cached.authorization.ran
        assert 290 < (cached.authorization.seconds_left or 0) <= 300
        assert cached.authorization.trace_id == denied.trace_id != cached.trace_id

        allowed = await facts(200, authorization="good")
        assert allowed.function == "Echo"
        assert allowed.authorization is not None
        assert allowed.authorization.denied is None

        unknown = await facts(404, "/b")
        assert (unknown.function, unknown.route_key, unknown.authorization) == ("", "", None)
        assert running.gateway.functions["Echo"].environments == 1


async def test_a_restarted_authorizer_decides_again(serve: Serve) -> None:
    async with serve(TEMPLATE, echo=ECHO, guard=GUARD % "good") as running:
        headers = {"authorization": "good"}
        assert (await running.client.get("/a", headers=headers)).status_code == 200
        (running.folder / "functions" / "guard" / "handler.py").write_text(GUARD % "better")
        assert (await running.client.get("/a", headers=headers)).status_code == 200
        running.gateway.restart(name for name in ["Echo"])
        assert (await running.client.get("/a", headers=headers)).status_code == 200
        running.gateway.restart(name for name in ["Guard"])
        assert (await running.client.get("/a", headers=headers)).status_code == 403
