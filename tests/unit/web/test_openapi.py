import json
import re
from typing import Any

import pytest
from fastapi import APIRouter

from tenantgate.web.app import create_app
from tenantgate.web.models import StrictModel
from tenantgate.web.openapi import NEEDS_TOKEN, NEEDS_TOKEN_OR_SESSION, security_schemes
from tenantgate.web.openapi_common import BEHIND_AUTHORIZER
from tenantgate.web.pages.show_pages import ShowPages
from tenantgate.web.responses import BEARER_ERRORS, ErrorResponse, error_responses
from tests.fixtures.web.setup import make_settings


def test_a_route_names_only_schemes_that_exist() -> None:
    schemes = security_schemes(make_settings())

    assert {name for needed in NEEDS_TOKEN_OR_SESSION["security"] for name in needed} == schemes.keys()
    assert {name for needed in NEEDS_TOKEN["security"] for name in needed} == schemes.keys() - {"session"}


def test_the_session_scheme_names_the_cookie() -> None:
    scheme = security_schemes(make_settings())["session"]

    assert (scheme["in"], scheme["name"]) == ("cookie", "__Host-tg_session")


@pytest.mark.parametrize("issuer", ["https://login.example.com", "https://login.example.com/"])
def test_the_discovery_url_has_one_slash_after_the_issuer(issuer: str) -> None:
    scheme = security_schemes(make_settings(OIDC_ISSUER_URL=issuer))["openIdConnect"]

    assert scheme["openIdConnectUrl"] == "https://login.example.com/.well-known/openid-configuration"


class Inner(StrictModel):
    name: str


class Outer(StrictModel):
    inner: Inner


def document() -> dict[str, Any]:
    router = APIRouter()

    @router.get("/things", responses=error_responses())
    def things(number: int) -> Outer:
        raise NotImplementedError(number)

    return create_app(router, settings=make_settings()).openapi()


def test_the_document_describes_the_api() -> None:
    info = document()["info"]

    assert info["summary"] == "Sign-in, token validation and sessions for multi-tenant APIs"
    for text in ("`GET /api/v1/auth/login`", "`Authorization: Bearer <access token>`", "`docs/ERROR_CODES.md`"):
        assert text in info["description"]
    assert [tag["name"] for tag in document()["tags"]] == ["auth", "health"]


def test_every_schema_is_used_and_every_reference_exists() -> None:
    made = document()

    referenced = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(made)))
    assert set(made["components"]["schemas"]) == referenced
    assert referenced == {
        *("Outer", "Inner", "ErrorResponse", "ErrorMember", "GatewayResponse", "ErrorOrGatewayResponse")
    }
    for kind, name in re.findall(r'"#/components/(headers|parameters)/([\w-]+)"', json.dumps(made)):
        assert name in made["components"][kind]


def test_a_validation_error_has_the_shape_of_every_error() -> None:
    described = document()["paths"]["/things"]["get"]["responses"]["422"]

    assert described["description"] == "`VAL_001` The request is not valid"
    schema = described["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ErrorResponse"}


def test_every_operation_has_the_errors_that_do_not_depend_on_its_route() -> None:
    responses = document()["paths"]["/things"]["get"]["responses"]

    assert list(responses) == ["200", "400", "408", "413", "422", "429", "431", "500", "503"]
    assert responses["400"]["description"] == (
        "`VAL_007` The request can be read in more than one way; `VAL_010` The request can't be read as HTTP"
    )
    either = {"$ref": "#/components/schemas/ErrorOrGatewayResponse"}
    assert {status for status in responses if _shape(responses[status]) == either} == {
        *("400", "413", "429", "431", "500", "503")
    }
    assert all("X-Request-ID" in response["headers"] for response in responses.values())
    assert "text/html" in responses["429"]["content"]


def test_only_behind_the_authorizer_api_gateway_words_the_denials() -> None:
    def responses(**extra: Any) -> dict[str, Any]:
        router = APIRouter()

        @router.get("/me", openapi_extra={**NEEDS_TOKEN, **extra}, responses=error_responses(*BEARER_ERRORS))
        def me() -> Inner:
            raise NotImplementedError

        operation = create_app(router, settings=make_settings()).openapi()["paths"]["/me"]["get"]
        assert not [name for name in operation if name.startswith("x-")]
        found: dict[str, Any] = operation["responses"]
        return found

    for status in ("401", "403"):
        assert _shape(responses()[status]) == {"$ref": "#/components/schemas/ErrorResponse"}
        assert _shape(responses(**BEHIND_AUTHORIZER)[status]) == {"$ref": "#/components/schemas/ErrorOrGatewayResponse"}
    assert "WWW-Authenticate" in responses()["401"]["headers"]


def test_errors_of_a_route_for_people_may_be_pages_and_errors_of_a_protocol_keep_their_shape() -> None:
    class Refused(StrictModel):
        err: str

    router = APIRouter()

    @router.get("/page", dependencies=[ShowPages], responses=error_responses())
    @router.post(
        "/events", responses={**error_responses(), 400: {"model": Refused | ErrorResponse, "description": "refused"}}
    )
    def either() -> Inner:
        raise NotImplementedError

    paths = create_app(router, settings=make_settings()).openapi()["paths"]
    page = paths["/page"]["get"]["responses"]
    assert all(("text/html" in page[status]["content"]) is (status >= "400") for status in page)
    events = paths["/events"]["post"]["responses"]
    assert [name["$ref"].rpartition("/")[2] for name in _shape(events["400"])["anyOf"]] == [
        *("Refused", "ErrorResponse", "GatewayResponse")
    ]
    assert "text/html" not in events["429"]["content"]


def _shape(response: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = response["content"]["application/json"]["schema"]
    return found


def test_the_document_is_the_same_each_time() -> None:
    app = create_app(APIRouter(), settings=make_settings())

    assert app.openapi() == json.loads(json.dumps(app.openapi()))
    assert "schemas" not in app.openapi()["components"]
