"""Canary secrets in every place that a caller controls: none of them may appear in any output."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import pytest

from functions.unknown_route.handler import lambda_handler as unknown_route
from tenantgate.authorizer.service import Authorizer
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.observability.logging import configure_logging
from tenantgate.tokens.wiring import token_verifier
from tenantgate.web.lambda_adapter import lambda_handler_for
from tests.fixtures.authorizer.guarded import rules
from tests.fixtures.process.canaries import Canaries
from tests.fixtures.web.setup import ISSUER, Issuer, api_event, lambda_context, log_lines

ROOT = Path(__file__).parents[2]


@dataclass
class Planted:
    """One request full of secrets."""

    headers: dict[str, str]
    cookies: list[str]
    query: str
    bodies: dict[str, str]


def plant(canaries: Canaries, *, bearer: str | None = None) -> Planted:
    basic = base64.b64encode(f"jane:{canaries.secret('basic password')}".encode()).decode()
    canaries.made["basic credentials"] = basic
    return Planted(
        headers={
            "authorization": f"Bearer {bearer or canaries.token('authorization')}",
            "proxy-authorization": f"Basic {basic}",
            "x-api-key": canaries.secret("api key"),
            "x-csrf-token": canaries.secret("csrf token"),
            "x-amz-security-token": canaries.opaque("aws token"),
            "x-request-id": canaries.token("request id"),
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
        cookies=[
            f"__Host-tg_session=org-00000000-0000-4000-8000-00000000000a.{canaries.opaque('session')}",
            f"__Host-tg_login_0123456789abcdef={canaries.opaque('login')}.{canaries.secret('login part')}",
            f"theirs={canaries.secret('a foreign cookie')}",
        ],
        query=f"odd={quote_plus(canaries.odd('query odd'))}&twice={quote(quote(canaries.odd('query twice')))}&"
        + "&".join(
            f"{name}={quote_plus(canaries.secret(f'query {name}') + suffix)}"
            for name, suffix in {
                "code": "", "state": "", "access_token": "", "id_token_hint": "", "password": "", "api_key": "",
                "patient": " Doe", "dob": "/1970", "ssn": "-1", "mrn": "", "diagnosis": " of flu", "q": "", "x[y]": "",
                "return_to": "", "redirect_uri": "", "login_hint": "@example.test", "iss": "", "error_description": "",
            }.items()
        ),
        bodies={
            "application/json": json.dumps(
                {
                    "code": canaries.opaque("body code"),
                    "state": canaries.secret("body state"),
                    "password": canaries.secret("body password"),
                    "deep": [{"more": {"note": canaries.secret("body note")}}],
                    "odd": canaries.odd("body odd"),
                    "redirect_uri": f"https://app.example.test/?t={canaries.secret('body redirect')}",
                }
            ),
            "application/x-www-form-urlencoded": f"username={canaries.secret('form name')}%40example.test"
            f"&password={canaries.secret('form password')}+with+blanks",
            "text/plain": f"{{broken {canaries.secret('broken body')}",
        },
    )  # fmt: skip


def test_the_search_finds_a_written_secret() -> None:
    canaries = Canaries()
    secret = canaries.secret("here")
    assert canaries.escaped_in(f"...{secret}...") == ["here"]
    assert canaries.escaped_in(f"...{secret[:13]}...") == ["here"]
    assert canaries.escaped_in("...") == []


def run_server(
    arguments: list[str], variables: dict[str, str], use: Callable[[httpx2.Client], None]
) -> tuple[str, str]:
    """Serve in a separate process, `use` it and stop it; return its standard output and error."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    written: list[str] = []
    complaints: list[str] = []
    listening = threading.Event()
    address = ""

    def read() -> None:
        nonlocal address
        for line in process.stdout or ():
            written.append(line)
            if (found := re.search(r"running on (http://[0-9.:]+)", line)) is not None:
                address = found[1]
                listening.set()
        listening.set()

    readers = [
        threading.Thread(target=read),
        threading.Thread(target=lambda: complaints.extend(process.stderr or ())),
    ]
    for reader in readers:
        reader.start()
    try:
        assert listening.wait(60)
        assert address, "".join(written + complaints)
        with httpx2.Client(base_url=address, timeout=30) as client:
            use(client)
    finally:
        process.terminate()
        process.wait(30)
        for reader in readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()
    return "".join(written), "".join(complaints)


VARIABLES = {
    "ENVIRONMENT": "development",
    "LOG_LEVEL": "DEBUG",
    "OIDC_ISSUER_URL": ISSUER,
    "OIDC_CLIENT_ID": "tenantgate-canary",
    "OIDC_AUDIENCE": "tenantgate-api",
    "PYTHONUNBUFFERED": "1",
}


def paths(canaries: Canaries) -> Iterator[tuple[str, str]]:
    for path in (
        "/", "/api/v1/health/live", "/api/v1/health/ready", "/api/v1/auth/login", "/api/v1/auth/callback",
        "/api/v1/auth/validate", "/api/v1/auth/logout", "/api/v1/auth/me", "/idp/authorize", "/idp/token",
        "/idp/revoke", "/idp/userinfo", "/idp/end_session", "/docs", "/nothing",
    ):  # fmt: skip
        yield "GET", path
        yield "POST", path
    yield "GET", f"/reset/{canaries.opaque('path')}"
    yield "GET", f"/reset/{canaries.token('path token')}"
    yield "DELETE", f"/api/v1/auth/sessions/org-00000000-0000-4000-8000-00000000000a.{canaries.opaque('path session')}"


def test_the_container_writes_no_secret_of_a_request(tmp_path: Path) -> None:
    canaries = Canaries()
    issuer = Issuer.in_folder(tmp_path)
    genuine = issuer.token()
    canaries.made |= {"genuine token": genuine, "its signature": genuine.rpartition(".")[2]}
    database_password = canaries.secret("database password")
    statuses = set()

    def use(client: httpx2.Client) -> None:
        for bearer in (None, genuine):
            for method, path in paths(canaries):
                planted = plant(canaries, bearer=bearer)
                for media_type, body in planted.bodies.items() if method == "POST" else [("", "")]:
                    for accept in ("application/json", "text/html"):
                        headers = {**planted.headers, "cookie": "; ".join(planted.cookies), "accept": accept}
                        if body:
                            headers["content-type"] = media_type
                        response = client.request(method, f"{path}?{planted.query}", headers=headers, content=body)
                        statuses.add(response.status_code)

    variables = VARIABLES | {
        # Nothing listens there, so the driver's error is logged too.
        "DATABASE_URL": f"postgresql://app:{database_password}@127.0.0.1:9/none",
        "OIDC_CLIENT_SECRET": canaries.opaque("client secret"),
        "COOKIE_SEALING_KEYS": canaries.opaque("sealing key") + "=",
        "OIDC_JWKS_FILE": str(issuer.jwks_file),
        "OIDC_ISSUER_URL": ISSUER,
        "DRAIN_SECONDS": "0",
    }
    # With uvicorn's default logging, including access lines: importing the application must replace it.
    out, err = run_server(["-m", "uvicorn", "container.main:app", "--port", "0"], variables, use)
    assert canaries.escaped_in(out + err) == []
    lines = log_lines("".join(line for line in out.splitlines(keepends=True)))
    assert len([line for line in lines if line["message"] == "request completed"]) > 150
    assert {200, 400, 401, 404, 405, 415, 422, 503} <= statuses
    assert err == ""


def test_a_leaking_application_writes_no_secret() -> None:
    canaries = Canaries()

    def use(client: httpx2.Client) -> None:
        for path in (
            "/log", "/encoded", "/noted", "/fail", "/refuse", "/unreachable", "/group", "/thread", "/unwritable",
        ):  # fmt: skip
            planted = plant(canaries)
            for media_type, body in planted.bodies.items():
                headers = {**planted.headers, "cookie": "; ".join(planted.cookies), "content-type": media_type}
                client.post(f"{path}?{planted.query}", headers=headers, content=body)

    arguments = ["-m", "uvicorn", "tests.security.canary_app:app", "--port", "0"]
    out, err = run_server(arguments, VARIABLES, use)
    assert canaries.escaped_in(out + err) == []
    messages = [line["message"] for line in log_lines(out)]
    for message in ("as context", "request failed", "request refused", "a background thread failed"):
        assert message in messages
    assert any("could not be written" in message for message in messages)
    assert err == ""


def test_a_function_writes_no_secret_of_a_request(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    canaries = Canaries()
    settings = Issuer.in_folder(tmp_path).settings()
    configure_logging(level="DEBUG", service="tenantgate")
    policy = settings.token_policy
    authorizer = Authorizer(Credentials(BearerCredential(token_verifier(policy), policy)), rules())

    def authorize(event: dict[str, Any], _context: Any) -> object:
        http = event["requestContext"]["http"]
        arn = f"arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/live/{http['method']}{http['path']}"
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            authorizer.decide({**event, "type": "REQUEST", "routeArn": arn})
        return None

    functions = [
        unknown_route,
        lambda_handler_for("functions.auth_validate", settings=settings),
        lambda_handler_for("functions.auth_me", settings=settings),
        authorize,
    ]
    for method, path in paths(canaries):
        for function in functions:
            planted = plant(canaries)
            for media_type, body in planted.bodies.items():
                headers = {**planted.headers, "content-type": media_type}
                event = api_event(
                    method, path, headers=headers, cookies=planted.cookies, query=planted.query, body=body
                )
                function(event, lambda_context())
    functions[1]({"broken": canaries.token("event")}, lambda_context())
    captured = capfd.readouterr()
    assert canaries.escaped_in(captured.out + captured.err) == []
    assert len(log_lines(captured.out)) > 500
