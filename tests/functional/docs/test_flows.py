"""docs/API_ARCHITECTURE.md follows seven flows through the code: the modules are these, in this order."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from typer.testing import CliRunner

from functions.auth_callback.routes import router as callback_router
from functions.auth_login.routes import router as login_router
from functions.auth_refresh.routes import router as refresh_router
from functions.auth_validate.routes import router as validate_router
from tenantgate.cache.wiring import dispose_cache
from tenantgate.database.wiring import dispose_database
from tenantgate.observability.logging import configure_logging
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets
from tenantgate.revoked import holder
from tenantgate.web.app import create_app
from tenantgate_cli.main import app as cli
from tests.fixtures.authorizer.events import authorizer_event
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.docs.entered import ROOT, entered_modules
from tests.fixtures.login.app import returned_to, running_login_app, sign_in
from tests.fixtures.process.settings import process_settings
from tests.fixtures.providers.misbehaving import CLIENT_ID, CLIENT_SECRET, MisbehavingProvider
from tests.fixtures.revoked.nothing import nothing_is_revoked
from tests.fixtures.servers.app_server import AppServer, free_socket
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER, good_claims, public_jwks, sign
from tests.fixtures.web.setup import AUDIENCE as AUDIENCE_OF_WEB
from tests.fixtures.web.setup import ISSUER as ISSUER_OF_WEB
from tests.fixtures.web.setup import TENANT, Issuer, api_event, lambda_context, lambda_handler_of


def documented(title: str) -> list[str]:
    """Return the modules of the numbered list under this heading of the page."""
    page = (ROOT / "docs" / "API_ARCHITECTURE.md").read_text(encoding="utf-8")
    [section] = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^##)", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^\d+\. `([\w/.]+)`", section, flags=re.MULTILINE)


# The modules that write log lines, and those that read a command's settings.
OF_LOG_LINES = ("tenantgate/observability/", "tenantgate/cache_counts.py")
# After the first refused request of a process, each request ends with a look at the events that were left out.
OF_REFUSALS = (*OF_LOG_LINES, "tenantgate/audit/line")
OF_SETTINGS = ("tenantgate/settings/", "tenantgate/tokens/", "tenantgate/urls.py", "tenantgate/cache_url.py")


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
    require(entered, "A login", without=OF_REFUSALS)


@contextmanager
def running_stack(provider: MisbehavingProvider, **variables: str) -> Iterator[str]:
    """Serve sign-in and refresh, wired by the process's settings, and yield the base URL."""
    sock = free_socket()
    base = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = {
        "PUBLIC_BASE_URL": base,
        "ALLOWED_ORIGINS": base,
        "OIDC_ISSUER_URL": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_AUDIENCE": provider.audience,
        "SESSION_REUSE_GRACE_SECONDS": "1",
        "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(hashlib.sha256().digest()).decode(),
        "KEY_ENCRYPTION_KEYS": base64.urlsafe_b64encode(hashlib.sha256(b"wraps").digest()).decode(),
    }

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await dispose_cache()
        await dispose_database()

    with process_settings(**settings, **variables):
        app = create_app(login_router, callback_router, refresh_router, lifespan=lifespan)
        with AppServer(app, sock):
            yield base


def test_a_refresh(database_urls: DatabaseUrls, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if it came from another request of the last half second, on a machine of any speed.
    monkeypatch.setattr(holder, "REFRESH_SECONDS", 60.0)
    monkeypatch.setattr(holder, "BOUND_SECONDS", 60.0)
    with (
        MisbehavingProvider() as provider,
        running_stack(provider, DATABASE_URL=database_urls.app_url, REDIS_URL=redis_url) as base,
        Browser() as browser,
    ):
        provider.issues_refresh_tokens = True
        started = browser.get(f"{base}/api/v1/auth/login")
        assert browser.get(location(browser.get(location(started)))).status_code == 303
        refresh = f"{base}/api/v1/auth/refresh"
        assert browser.request("POST", refresh, headers={"origin": base}).status_code == 200
        # Within the grace, the result of the first one would be replayed.
        time.sleep(1.1)
        with entered_modules() as entered:
            response = browser.request("POST", refresh, headers={"origin": base})

    assert response.status_code == 200
    require(entered, "A refresh", without=OF_REFUSALS)


def test_a_revocation_and_a_revoked_token(
    database_urls: DatabaseUrls, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer.in_folder(tmp_path)
    variables = {"DATABASE_URL": database_urls.app_url, "REDIS_URL": redis_url, "OIDC_ISSUER_URL": ISSUER_OF_WEB}
    variables |= {"OIDC_CLIENT_ID": "client", "OIDC_AUDIENCE": AUDIENCE_OF_WEB}
    user = ["user-1", "--tenant", TENANT, "--issuer", ISSUER_OF_WEB]
    path, headers = "/api/v1/auth/validate", {"authorization": f"Bearer {issuer.token()}"}
    with process_settings(**variables):
        handler = lambda_handler_of(validate_router, settings=issuer.settings())
        assert CliRunner().invoke(cli, ["revoke", "kid", "another-key", "--issuer", ISSUER_OF_WEB]).exit_code == 0
        assert handler(api_event("GET", path, headers=headers), lambda_context())["statusCode"] == 200
        with entered_modules() as revoking:
            ran = CliRunner().invoke(cli, ["revoke", "user", *user])
        assert ran.exit_code == 0, ran.output
        # The list that the function holds is used for half a second more.
        time.sleep(holder.REFRESH_SECONDS)
        with entered_modules() as refusing:
            response = handler(api_event("GET", path, headers=headers), lambda_context())
    assert (response["statusCode"], "AUTH_030" in response["body"]) == (401, True)
    require(revoking, "A revocation", without=(*OF_LOG_LINES, *OF_SETTINGS))
    require(refusing, "A revoked token")


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
    require(entered, "An authorizer decision", without=OF_REFUSALS)


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
