"""The functions' invocations and errors, as CloudWatch counts them."""

from __future__ import annotations

import pytest

from lambda_gateway.runtime.functions import Metrics
from tests.fixtures.gateway.project import HEAD, event, function_resource
from tests.functional.gateway.conftest import Serve

pytestmark = pytest.mark.anyio

TEMPLATE = (
    HEAD
    + """\
    Properties:
      Auth:
        Authorizers:
          Gate:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: { Headers: [Authorization], ReauthorizeEvery: 0 }
"""
    + function_resource("Hello", "hello", event("GET", "/{how}", ", Auth: { Authorizer: Gate }"))
    + function_resource("Guard", "guard")
)
GUARD = """
    def lambda_handler(event, context):
        if event["headers"]["authorization"] == "wrong":
            raise Exception("Unauthorized")
        return {"isAuthorized": event["headers"]["authorization"] == "right"}
"""
HELLO = """
    import os

    def lambda_handler(event, context):
        how = event["pathParameters"]["how"]
        if how == "raises":
            raise ValueError(how)
        if how == "ends":
            os._exit(1)
        return {"statusCode": 500}
"""


async def test_every_failed_invocation_is_an_error_and_no_denial_is(serve: Serve) -> None:
    async with serve(TEMPLATE, hello=HELLO, guard=GUARD) as running:
        for path, credential in (("/a", "right"), ("/raises", "right"), ("/ends", "right"), ("/a", "denied")):
            await running.client.get(path, headers={"authorization": credential})
        assert running.gateway.functions.metrics == {"Guard": Metrics(4, 0), "Hello": Metrics(3, 2)}
        # By this exception an authorizer requests a 401. Lambda knows nothing of that.
        response = await running.client.get("/a", headers={"authorization": "wrong"})
        assert response.status_code == 401
        assert running.gateway.functions.metrics["Guard"] == Metrics(5, 1)
