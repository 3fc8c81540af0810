"""Each function with routes serves them under Lambda's event format, without a caller or a server behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.process.handlers import imported_handler
from tests.fixtures.web.setup import ISSUER, ORIGIN, api_event, lambda_context

FUNCTIONS = Path(__file__).parents[3] / "functions"
SETTINGS = {
    "ALLOWED_ORIGINS": ORIGIN,
    "PUBLIC_BASE_URL": "https://gate.example.test",
    "OIDC_ISSUER_URL": ISSUER,
    "OIDC_CLIENT_ID": "tenantgate-dev",
    "OIDC_AUDIENCE": "tenantgate-api",
    # No request here gets as far as the database.
    "DATABASE_URL": "postgresql://role@127.0.0.1:1/tenantgate",
}
# The first request to a function without secrets, by a caller without a credential: method, path, status, and the
# error's code. Any other function refuses it.
REQUESTS = {
    "auth_backchannel_logout": ("POST", "/api/v1/auth/backchannel-logout", 400, "invalid_request"),
    "auth_callback": ("GET", "/api/v1/auth/callback", 503, "SYS_002"),
    "auth_login": ("GET", "/api/v1/auth/login?return_to=//other.example", 400, None),
    "health": ("GET", "/api/v1/health/live", 200, None),
    "home": ("GET", "/", 200, None),
    "identity_provider": ("GET", "/idp/unknown", 404, "VAL_005"),
    "security_events": ("POST", "/api/v1/security-events", 400, None),
}


def request_to(function: str) -> tuple[str, str, int, str | None]:
    if function in REQUESTS:
        return REQUESTS[function]
    route = next(iter(import_module(f"functions.{function}.routes").router.routes))
    return min(route.methods), re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", route.path), 401, "AUTH_007"


@pytest.fixture(params=sorted(path.parent.name for path in FUNCTIONS.glob("*/routes.py")))
def function(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def handler(function: str) -> Iterator[Any]:
    with imported_handler(function, **SETTINGS) as module:
        yield module.lambda_handler


def test_it_responds_with_its_own_route(function: str, handler: Any) -> None:
    method, target, status, code = request_to(function)
    path, _, query = target.partition("?")
    response = handler(api_event(method, path, query=query), lambda_context())
    assert response["statusCode"] == status
    assert response["headers"]["x-content-type-options"] == "nosniff"
    if code is not None:
        assert code in json.dumps(json.loads(response["body"]))


def test_it_has_no_other_functions_routes(function: str, handler: Any) -> None:
    response = handler(api_event("GET", "/api/v1/unknown"), lambda_context())
    assert (response["statusCode"], json.loads(response["body"])["error"]["code"]) == (404, "VAL_005")
