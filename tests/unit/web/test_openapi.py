import json
import re
from typing import Any

import pytest
from fastapi import APIRouter

from tenantgate.web.app import create_app
from tenantgate.web.models import StrictModel
from tenantgate.web.openapi import NEEDS_TOKEN, NEEDS_TOKEN_OR_SESSION, security_schemes
from tenantgate.web.responses import error_responses
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
    assert set(made["components"]["schemas"]) == referenced == {"Outer", "Inner", "ErrorResponse", "ErrorMember"}


def test_a_validation_error_has_the_shape_of_every_error() -> None:
    described = document()["paths"]["/things"]["get"]["responses"]["422"]

    assert described["description"] == "`VAL_001` The request is not valid"
    schema = described["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ErrorResponse"}


def test_the_document_is_the_same_each_time() -> None:
    app = create_app(APIRouter(), settings=make_settings())

    assert app.openapi() == json.loads(json.dumps(app.openapi()))
    assert "schemas" not in app.openapi()["components"]
