"""The values of identity sources."""

import pytest

from lambda_gateway.authorizers.identity import identity_of, readable
from lambda_gateway.authorizers.results import MissingIdentity
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Authorizer, Kind, Route

HTTP = Api("It", (), {}, stage_variables={"color": "blue"})
REST = Api("It", (), {}, kind=Kind.REST, stage="prod", stage_variables={"color": "blue"})
ROUTE = Route("GET", "/a/{b}", function="F")
SENT = Request("GET", "/a/1", "key=1&key=2&empty=", [("authorization", "x"), ("x-a", "1"), ("x-a", "2")])


@pytest.mark.parametrize(
    ("api", "source", "value"),
    [
        pytest.param(HTTP, "$request.header.Authorization", "x", id="header-in-any-case"),
        pytest.param(HTTP, "$request.header.X-A", "1,2", id="header-of-several-values"),
        pytest.param(HTTP, "$request.querystring.key", "1,2", id="query"),
        pytest.param(HTTP, "$context.routeKey", "GET /a/{b}", id="route-key"),
        pytest.param(HTTP, "$context.identity.sourceIp", "127.0.0.1", id="nested-context"),
        pytest.param(HTTP, "$stageVariables.color", "blue", id="stage-variable"),
        pytest.param(REST, "method.request.header.Authorization", "x", id="rest-header"),
        pytest.param(REST, "method.request.querystring.key", "1,2", id="rest-query"),
        pytest.param(REST, "context.resourcePath", "/a/{b}", id="rest-resource"),
        pytest.param(REST, "context.path", "/prod/a/1", id="rest-path-has-the-stage"),
        pytest.param(REST, "stageVariables.color", "blue", id="rest-stage-variable"),
    ],
)
def test_values(api: Api, source: str, value: str) -> None:
    assert readable(source)
    assert identity_of(Authorizer("G", "F", (source,)), api, SENT, ROUTE) == (value,)


@pytest.mark.parametrize(
    "source", ["$request.header.X-B", "$request.querystring.other", "$request.querystring.empty", "$stageVariables.x"]
)
def test_a_missing_or_empty_source_means_no_identity(source: str) -> None:
    found = identity_of(Authorizer("G", "F", ("$request.header.Authorization", source)), HTTP, SENT, ROUTE)
    assert found == MissingIdentity(source)


@pytest.mark.parametrize("source", ["$context.authorizer.user", "$request.path.id", "$request.body.a", "Authorization"])
def test_expressions_that_requests_never_have(source: str) -> None:
    assert not readable(source)
