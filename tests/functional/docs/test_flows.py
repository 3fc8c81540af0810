"""docs/API_ARCHITECTURE.md follows four flows through the code: the modules are these, in this order."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from functions.auth_validate.routes import router as validate_router
from tenantgate.observability.logging import configure_logging
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets
from tests.fixtures.authorizer.events import authorizer_event
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.docs.entered import ROOT, entered_modules
from tests.fixtures.login.app import returned_to, running_login_app, sign_in
from tests.fixtures.providers.misbehaving import MisbehavingProvider
from tests.fixtures.revoked.nothing import nothing_is_revoked
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER, good_claims, public_jwks, sign
from tests.fixtures.web.setup import Issuer, api_event, lambda_context, lambda_handler_of


def documented(title: str) -> list[str]:
    """Return the modules of the numbered list under this heading of the page."""
    page = (ROOT / "docs" / "API_ARCHITECTURE.md").read_text(encoding="utf-8")
    [section] = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^##)", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^\d+\. `([\w/.]+)`", section, flags=re.MULTILINE)


# The modules that write log lines.
OF_LOG_LINES = ("tenantgate/observability/", "tenantgate/cache_counts.py")


def require(entered: list[str], title: str, *, without: tuple[str, ...] = OF_LOG_LINES) -> None:
    """Compare a flow with the page; a failure shows the list as the page needs it.

    `without`: the folders and modules that the list leaves out.
    """
    entered = [module for module in entered if not module.startswith(without)]
    listed = "\n".join(f"{number}. `{module}`" for number, module in enumerate(entered, start=1))

    assert entered == documented(title), f"the flow is:\n{listed}"


def test_a_login(database_urls: DatabaseUrls) -> None:
    with (
        MisbehavingProvider() as provider,
        running_login_app(provider.issuer, database_url=database_urls.app_url) as app,
        Browser() as earlier,
        Browser() as browser,
    ):
        # Metadata, keys and a database connection are there afterwards, as in all but the first request.
        assert sign_in(earlier, app).status_code == 200
        with entered_modules() as entered:
            response = browser.get(returned_to(browser, app))

    assert response.status_code == 303
    require(entered, "A login")


def test_an_authorizer_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(public_jwks()), encoding="utf-8")
    for name, value in {"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": AUDIENCE, "OIDC_JWKS_FILE": str(keys)}.items():
        monkeypatch.setenv(name, value)
    spec = spec_from_file_location("handler_of_this_test", ROOT / "functions" / "authorizer" / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    handler = module_from_spec(spec)
    spec.loader.exec_module(handler)
    event = authorizer_event("http-2.0", sign(good_claims(int(time.time())))) | {"rawPath": "/api/v1/auth/me"}
    event["requestContext"]["http"] |= {"path": "/api/v1/auth/me"}
    event["routeKey"] = "GET /api/v1/auth/me"
    event["routeArn"] = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/$default/GET/api/v1/auth/me"

    with entered_modules() as entered:
        response = handler.lambda_handler(event, lambda_context())

    assert response["isAuthorized"] is True
    require(entered, "An authorizer decision")


@pytest.fixture
def nothing_revoked() -> Iterator[None]:
    with nothing_is_revoked():
        yield


def test_an_error(tmp_path: Path, nothing_revoked: None) -> None:
    issuer = Issuer.in_folder(tmp_path)
    handler = lambda_handler_of(validate_router, settings=issuer.settings(LOG_LEVEL="ERROR"))
    path = "/api/v1/auth/validate"
    accepted = handler(api_event("GET", path, headers={"authorization": f"Bearer {issuer.token()}"}), lambda_context())
    assert accepted["statusCode"] == 200
    expired = issuer.token(iat=int(time.time()) - 1200, exp=int(time.time()) - 600)

    with entered_modules() as entered:
        response = handler(api_event("GET", path, headers={"authorization": f"Bearer {expired}"}), lambda_context())

    assert (response["statusCode"], "AUTH_003" in response["body"]) == (401, True)
    require(entered, "An error")


def test_a_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="INFO", service="test")
    carry_secrets(CarriedSecrets([(b"authorization", b"Bearer a-secret-of-this-request")], b""))

    with entered_modules() as entered:
        logging.getLogger("tenantgate.x").info(
            "the token is %s", "a-secret-of-this-request", extra={"context": {"path": "/x?code=1234567"}}
        )

    line = capsys.readouterr().out
    assert "a-secret-of-this-request" not in line
    assert "1234567" not in line
    require(entered, "A log line", without=())
