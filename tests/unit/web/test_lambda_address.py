"""A function without `PUBLIC_BASE_URL` learns its address from API Gateway's event, never from a client's header."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import APIRouter, Request

from tenantgate.settings.model import Settings
from tenantgate.web.lambda_adapter import LambdaHandler
from tenantgate.web.origins import require_same_site
from tests.fixtures.web.setup import api_event, lambda_context, lambda_handler_of

NAME = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
OWN = f"https://{NAME}"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "AWS_REGION": "eu-central-1",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "gate",
    "RATE_LIMITS": "off",
}

router = APIRouter()


@router.get("/address")
async def address(request: Request) -> list[object]:
    settings = request.app.settings
    return [settings.public_base_url, settings.oidc_redirect_uri, list(settings.allowed_origins)]


@router.post("/change")
async def change(request: Request) -> str:
    require_same_site(request)
    return "changed"


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> LambdaHandler:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "auth_login")
    return lambda_handler_of(router, settings=Settings.from_mapping(PRODUCTION))


def request(method: str, path: str, *, name: str = NAME, **headers: str) -> dict[str, Any]:
    event = api_event(method, path, headers={"host": name, **{key.replace("_", "-"): headers[key] for key in headers}})
    event["requestContext"]["domainName"] = name
    return event


def test_the_base_url_is_the_apis_own_address_and_no_other_origin_is_allowed(handler: LambdaHandler) -> None:
    response = handler(request("GET", "/address"), lambda_context())

    assert json.loads(response["body"]) == [OWN, f"{OWN}/api/v1/auth/callback", []]


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"host": "evil.example"}, id="host"),
        pytest.param({"x_forwarded_host": "evil.example"}, id="x-forwarded-host"),
        pytest.param({"forwarded": "host=evil.example;proto=https"}, id="forwarded"),
        pytest.param({"x_original_host": "evil.example", "x_host": "evil.example"}, id="others"),
    ],
)
def test_no_header_of_the_client_changes_the_address(handler: LambdaHandler, forged: dict[str, str]) -> None:
    first = handler(request("GET", "/address", **forged), lambda_context())
    second = handler(request("GET", "/address"), lambda_context())

    assert json.loads(first["body"])[0] == json.loads(second["body"])[0] == OWN


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("auth.example.com", id="custom-domain"),
        pytest.param("a1b2c3d4e5.execute-api.us-east-1.amazonaws.com", id="foreign-region"),
        pytest.param("f6g7h8i9j0.execute-api.eu-central-1.amazonaws.com", id="name-of-another-api"),
        pytest.param(f"{NAME}.evil.example", id="own-name-as-prefix"),
    ],
)
def test_a_request_to_another_name_is_refused_before_and_after_the_address_is_known(
    handler: LambdaHandler, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    early = handler(request("GET", "/address", name=name), lambda_context())
    known = handler(request("GET", "/address"), lambda_context())
    late = handler(request("GET", "/address", name=name), lambda_context())

    assert [early["statusCode"], known["statusCode"], late["statusCode"]] == [500, 200, 500]
    assert json.loads(late["body"])["error"]["code"] == "SYS_014"
    assert "PUBLIC_BASE_URL is not set" in capsys.readouterr().out


def test_another_api_of_the_same_function_does_not_replace_the_address(handler: LambdaHandler) -> None:
    handler(request("GET", "/address"), lambda_context())
    other = request("GET", "/address", name="f6g7h8i9j0.execute-api.eu-central-1.amazonaws.com")
    other["requestContext"]["apiId"] = "f6g7h8i9j0"

    assert handler(other, lambda_context())["statusCode"] == 500
    assert json.loads(handler(request("GET", "/address"), lambda_context())["body"])[0] == OWN


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param(OWN, 200, id="own"),
        pytest.param("https://f6g7h8i9j0.execute-api.eu-central-1.amazonaws.com", 403, id="another-api"),
        pytest.param("https://evil.example", 403, id="foreign"),
        pytest.param("", 403, id="empty"),
        pytest.param("null", 403, id="null"),
    ],
)
def test_only_pages_of_the_api_itself_may_change_anything(handler: LambdaHandler, origin: str, status: int) -> None:
    assert handler(request("POST", "/change", origin=origin), lambda_context())["statusCode"] == status


def test_a_public_base_url_that_is_set_serves_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "auth_login")
    settings = Settings.from_mapping(PRODUCTION | {"PUBLIC_BASE_URL": "https://auth.example.com"})
    handler = lambda_handler_of(router, settings=settings)

    for name in (NAME, "auth.example.com"):
        body = json.loads(handler(request("GET", "/address", name=name), lambda_context())["body"])
        assert body[0] == "https://auth.example.com"
