import json

import pytest

from tenantgate.errors.tokens import Overloaded, TokenExpired
from tenantgate.observability.logging import configure_logging
from tenantgate.web.errors import MethodNotAllowed
from tenantgate.web.headers import SECURE_HEADERS
from tenantgate.web.plain_lambda import begin, lambda_error_response
from tests.fixtures.web.setup import api_event, lambda_context, log_lines

SECRET = "hunter2-and-more"


def test_a_request_is_logged_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="DEBUG", service="test")
    headers = {"x-request-id": "checkout-1", "authorization": f"Bearer {SECRET}"}
    event = api_event("POST", "/a", headers=headers, cookies=[f"session={SECRET}"], query=f"code={SECRET}")

    begin(event, lambda_context()).completed(404)

    out = capsys.readouterr().out
    started, completed = log_lines(out)
    assert started["request_id"] == completed["request_id"] == "checkout-1"
    assert (completed["context"]["method"], completed["context"]["path"]) == ("POST", "/a")
    assert completed["context"]["status"] == 404
    assert completed["context"]["gateway_request_id"] == "JKJaXmPLvHcESHA="
    assert SECRET not in out


def test_a_line_repeats_no_secret_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="DEBUG", service="test")

    begin(api_event(path=f"/{SECRET}", cookies=[f"session={SECRET}"]), lambda_context()).completed(404)

    assert SECRET not in capsys.readouterr().out


def test_an_error_has_the_one_shape_and_the_headers_of_every_response() -> None:
    begin(api_event(headers={"x-request-id": "checkout-1"}), lambda_context())

    response = lambda_error_response(TokenExpired("private"))

    assert response["statusCode"] == 401
    assert json.loads(response["body"]) == {
        "error": {
            "code": "AUTH_003",
            "message": "The token has expired",
            "detail": None,
            "request_id": "checkout-1",
        }
    }
    assert response["headers"].items() >= SECURE_HEADERS.items()
    assert response["headers"]["www-authenticate"].startswith("Bearer ")
    assert (response["headers"]["content-type"], response["isBase64Encoded"]) == ("application/json", False)


def test_an_error_may_have_allow_and_retry_after() -> None:
    assert lambda_error_response(MethodNotAllowed(), allow="GET")["headers"]["allow"] == "GET"
    assert lambda_error_response(Overloaded(retry_after=3))["headers"]["retry-after"] == "3"
