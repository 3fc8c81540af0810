"""Each check finds the fault that it is for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from schemathesis import Response
from schemathesis.core.failures import FailureGroup

from container.app import container_app
from tenantgate.settings.model import Settings
from tenantgate.web.headers import SECURE_HEADERS
from tests.fixtures.schema.cases import DOCUMENTS, operations
from tests.fixtures.schema.checks import DOCUMENTED, accepted_wrongly, promises
from tests.fixtures.schema.dress import Dress
from tests.fixtures.schema.run import Run
from tests.fixtures.schema.target import Form, Target
from tests.functional.schema import campaign

LIVE, ME = "/api/v1/health/live", "/api/v1/auth/me"
ERROR = {"error": {"code": "VAL_005", "message": "m", "detail": None, "request_id": "r-1"}}
HEADERS = {**SECURE_HEADERS, "x-request-id": "r-1", "content-type": "application/json"}


def target(form: Form = "container") -> Target:
    return Target(form, None, None, {"OIDC_CLIENT_SECRET": "the-stacks-secret"})  # type: ignore[arg-type]


def response(status: int, body: object, *, accept: str = "*/*", **changes: str | None) -> Response:
    request = requests.Request("GET", "http://localhost:1/x", headers={"accept": accept}).prepare()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = HEADERS | {name.replace("_", "-"): value for name, value in changes.items()}
    return Response(
        status_code=status,
        headers={name: [value] for name, value in headers.items() if value is not None},
        content=content,
        request=request,
        elapsed=0.1,
        verify=False,
    )


def found(reply: Response, *, form: Form = "container", path: str = LIVE, sent: tuple[str, ...] = ()) -> list[str]:
    return list(promises(target(form), path, Dress(sent=list(sent)), reply, "GET"))


@pytest.mark.parametrize(
    ("reply", "more"),
    [
        pytest.param(response(404, ERROR), {}, id="our-error"),
        pytest.param(response(200, {"status": "ok"}), {}, id="success"),
        pytest.param(response(404, b"<html>", accept="text/html", content_type="text/html"), {}, id="page"),
        pytest.param(response(403, {"message": "Forbidden"}), {"form": "gateway", "path": ME}, id="gateway"),
        pytest.param(
            response(400, {"err": "invalid_request", "description": "d"}),
            {"path": "/api/v1/security-events"},
            id="rfc-8935",
        ),
    ],
)
def test_a_good_response_has_no_finding(reply: Response, more: dict[str, Any]) -> None:
    assert found(reply, **more) == []


@pytest.mark.parametrize(
    ("reply", "more", "finding"),
    [
        (response(404, {"detail": "Not Found"}), {}, "another error shape"),
        (response(404, b"Not Found", content_type="text/plain"), {}, "another error shape"),
        (response(422, {"error": {"code": "VAL_001"}}), {}, "another error shape"),
        (response(404, ERROR, x_request_id="r-2"), {}, "request id is not the header's"),
        (response(403, {"message": "Forbidden"}), {"path": ME}, "another error shape"),
        (response(403, {"message": "Forbidden"}), {"form": "gateway"}, "of API Gateway itself"),
        (response(500, {"message": "x"}), {"form": "gateway", "path": ME}, "of API Gateway itself"),
        (response(400, {"error": "invalid_request"}), {}, "another error shape"),
        (response(404, b"<html>", content_type="text/html"), {}, "a page for a client"),
        (response(200, {}, x_content_type_options=None), {}, "without x-content-type-options"),
        (response(200, {}, x_request_id=None), {}, "without x-request-id"),
        (response(401, ERROR), {}, "without WWW-Authenticate"),
        (response(200, {"access_token": "t"}, cache_control="private"), {}, "without Cache-Control"),
        (response(200, {"trace": 'File "/app/x.py", line 1'}), {}, "a stack trace"),
        (response(200, b"Traceback (most recent call last)"), {}, "a stack trace"),
        (response(404, {"x": "the-stacks-secret"}), {}, "a secret in the response"),
        (response(200, {"x": "sent-in-the-request"}), {"sent": ("sent-in-the-request",)}, "a secret in the response"),
    ],
)
def test_a_fault_is_found(reply: Response, more: dict[str, Any], finding: str) -> None:
    assert any(finding in one for one in found(reply, **more))


@pytest.mark.parametrize("credential", ["none", "generated", "expired", "forged", "revoked", "no csrf", "no origin"])
def test_a_success_without_a_good_credential_is_found(credential: str) -> None:
    [operation] = [one for one in operations() if one.label == "DELETE /api/v1/auth/sessions"]
    case = SimpleNamespace(operation=operation, path=operation.path)
    for kind, expected in ((credential, [f"accepted the credential: {credential}"]), ("session", [])):
        assert list(accepted_wrongly(case, Dress(kind), response(204, b""), "DELETE")) == expected


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (response(418, ERROR), "UndefinedStatusCode"),
        (response(200, {"status": "fine", "timestamp": 1}), "JsonSchemaError"),
        (response(200, {"status": "ok", "timestamp": 1}, content_type="text/plain"), "UndefinedContentType"),
        (response(503, ERROR), "ServerError"),
    ],
)
def test_a_response_that_differs_from_the_document_is_found(reply: Response, failure: str) -> None:
    [operation] = [one for one in operations() if one.path == LIVE]
    with pytest.raises(FailureGroup) as raised:
        operation.Case().validate_response(reply, checks=list(DOCUMENTED))
    assert [type(one).__name__ for one in raised.value.exceptions] == [failure]


def test_every_route_of_the_application_is_documented() -> None:
    given = {"ENVIRONMENT": "development", "DATABASE_URL": "postgresql://u@127.0.0.1/x"}
    app = container_app(Settings.from_mapping(given))
    documented = {one.label for one in operations()}
    served = {name for name in app.route_names if not name.startswith(("ANY", "HEAD /docs"))}
    assert served == documented
    assert all(path.is_file() for path in DOCUMENTS)


def test_a_run_is_logged_with_its_fewest_successes_and_every_operation(tmp_path: Path) -> None:
    runs = [Run(form) for form in ("gateway", "container")]
    for number, one in enumerate(runs):
        one.statuses = {"GET /a": Counter({200: 3 + number, 404: 1}), "GET /b": Counter({303: 9})}
    log = tmp_path / "LOG.md"
    for _ in range(2):
        campaign.append(runs, 7, 61.2, log)
    rows = log.read_text(encoding="utf-8").splitlines()[-2:]
    assert all(row.startswith("| 20") and "| 7 | 14 | 13 | 2 | 3 |" in row for row in rows)
    assert "| `GET /a` | 5 | 4 | 4 | 3 |" in campaign.routes_page(runs)
