"""The gateway over the Lambda handlers and the container return the same responses.

Each request goes to both. Status, headers and body must be equal after placeholders replace the values that always
differ (addresses, ids, times, tokens), and they must match the expectation of the case.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute

from container.app import function_routers
from functions.unknown_route.route_table import ROUTES
from tests.fixtures.browsers.scripted import HTML, Browser
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import access_token, sign_in_by_redirect

pytestmark = pytest.mark.xdist_group("stacks")

# Headers that the server adds: the gateway's request id, and the headers of the connection.
OWNED_BY_THE_FRONT = {
    *("apigw-requestid", "connection", "date", "server", "transfer-encoding", "content-length", "content-encoding"),
}
JSON = {"accept": "application/json"}
TYPED = {**JSON, "content-type": "application/json"}
ORIGIN = "http://localhost:5173"


@dataclass(frozen=True, slots=True)
class Case:
    """A request and the expected result. `{base}`, `{token}` and `{session}` are filled in for each target."""

    method: str
    path: str
    status: int
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    body: str | bytes | None = None


def case(name: str, *arguments: Any, **more: Any) -> Any:
    return pytest.param(Case(*arguments, **more), id=name)


BEARER = {**JSON, "authorization": "Bearer {token}"}
BY_SESSION = {**JSON, "cookie": "__Host-tg_session={session}"}
LOGIN = "/api/v1/auth/login"
LOGOUT = "/api/v1/auth/logout"
CALLBACK = "/api/v1/auth/callback"
VALIDATE = "/api/v1/auth/validate"
BACKCHANNEL_LOGOUT = "/api/v1/auth/backchannel-logout"
SECURITY_EVENTS = "/api/v1/security-events"
FORM = {**JSON, "content-type": "application/x-www-form-urlencoded"}
SECEVENT = {**JSON, "content-type": "application/secevent+jwt"}
SESSIONS = "/api/v1/auth/sessions"
UNKNOWN_SESSION = "0f0e0d0c-0b0a-4908-8706-050403020100"

CASES = [
    case("root", "GET", "/", 200),
    case("root-page", "GET", "/", 200, headers={"accept": HTML}),
    case("root-page-signed-in", "GET", "/", 200, headers={"accept": HTML, "cookie": "__Host-tg_session={session}"}),
    case("root-page-forged-session", "GET", "/", 200, headers={"accept": HTML, "cookie": "__Host-tg_session=org-1.x"}),
    case("live", "GET", "/api/v1/health/live", 200),
    case("ready", "GET", "/api/v1/health/ready", 200),
    case("given-request-id", "GET", "/api/v1/health/live", 200, headers={**JSON, "x-request-id": "my-request-0001"}),
    case("malformed-request-id", "GET", "/api/v1/health/live", 200, headers={**JSON, "x-request-id": "a b{c}"}),
    case("cross-origin", "GET", "/api/v1/health/live", 200, headers={**JSON, "origin": ORIGIN}),
    case("foreign-origin", "GET", "/api/v1/health/live", 200, headers={**JSON, "origin": "https://evil.example"}),
    case("validate", "GET", VALIDATE, 200, headers=BEARER),
    case("validate-cross-origin", "GET", VALIDATE, 401, "AUTH_007", headers={**JSON, "origin": ORIGIN}),
    case("validate-no-credential", "GET", VALIDATE, 401, "AUTH_007"),
    case("validate-basic", "GET", VALIDATE, 401, "AUTH_007", headers={**JSON, "authorization": "Basic dTpw"}),
    case("validate-garbage", "GET", VALIDATE, 401, "AUTH_004", headers={**JSON, "authorization": "Bearer a.b.c"}),
    case("validate-alg-none", "GET", VALIDATE, 401, "AUTH_004",
         headers={**JSON, "authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}),
    case("validate-session", "GET", VALIDATE, 200, headers=BY_SESSION),
    case("validate-session-twice", "GET", VALIDATE, 401, "AUTH_007",
         headers={**JSON, "cookie": "__Host-tg_session={session}; __Host-tg_session={session}"}),
    case("validate-forged-session", "GET", VALIDATE, 401, "AUTH_020",
         headers={**JSON, "cookie": "__Host-tg_session=org-1.x"}),
    case("validate-session-and-garbage", "GET", VALIDATE, 401, "AUTH_004",
         headers={**BY_SESSION, "authorization": "Bearer a.b.c"}),
    case("sessions", "GET", SESSIONS, 200, headers={**BY_SESSION, "origin": ORIGIN}),
    case("sessions-by-token", "GET", SESSIONS, 200, headers=BEARER),
    case("sessions-no-credential", "GET", SESSIONS, 401, "AUTH_007"),
    case("sessions-end-unknown", "DELETE", f"{SESSIONS}/{UNKNOWN_SESSION}", 404, "VAL_005", headers=BEARER),
    case("sessions-end-without-csrf-token", "DELETE", SESSIONS, 403, "AUTH_021",
         headers={**BY_SESSION, "origin": ORIGIN}),
    case("sessions-end-cross-site", "DELETE", SESSIONS, 403, "AUTH_021",
         headers={**BY_SESSION, "origin": "https://evil.example"}),
    case("me", "GET", "/api/v1/auth/me", 200, headers=BEARER),
    case("login-json", "GET", "/api/v1/auth/login", 200),
    case("login-redirect", "GET", "/api/v1/auth/login?return_to=/", 302, headers={"accept": HTML}),
    case("login-foreign-redirect", "GET", "/api/v1/auth/login?redirect_uri=https://evil.example/", 400, "AUTH_006"),
    case("login-foreign-return", "GET", "/api/v1/auth/login?return_to=//evil.example", 400, "AUTH_006"),
    case("login-foreign-return-page", "GET", "/api/v1/auth/login?return_to=//evil.example", 400,
         headers={"accept": HTML}),
    case("login-unknown-parameter", "GET", "/api/v1/auth/login?fbclid=IwAR0&next=/", 200),
    case("callback-unknown-parameter", "GET", f"{CALLBACK}?code=x&state=y&fbclid=IwAR0", 403, "AUTH_002"),
    case("callback-repeated-state", "GET", f"{CALLBACK}?code=x&state=y&state=z", 403, "AUTH_002"),
    case("root-unknown-parameter", "GET", "/?fbclid=IwAR0", 200),
    case("login-repeated-parameter", "GET", "/api/v1/auth/login?return_to=/a&return_to=/b", 200),
    case("callback-unknown-state", "GET", f"{CALLBACK}?code=x&state=y", 403, "AUTH_002"),
    case("callback-unknown-state-page", "GET", f"{CALLBACK}?code=x&state=y", 403, headers={"accept": HTML}),
    case("callback-no-state", "GET", CALLBACK, 403, "AUTH_002"),
    case("callback-markup", "GET", f"{CALLBACK}?error=%3Cscript%3E&state=%3Cb%3E", 403, headers={"accept": HTML}),
    case("callback-json-unknown-state", "POST", CALLBACK, 403, "AUTH_002", TYPED, '{"code":"x","state":"y"}'),
    case("callback-json-cross-site", "POST", CALLBACK, 403, "AUTH_021",
         {**TYPED, "origin": "https://evil.example"}, '{"code":"x","state":"y"}'),
    case("callback-json-null-iss", "POST", CALLBACK, 403, "AUTH_002", TYPED, '{"code":"x","state":"y","iss":null}'),
    case("callback-json-missing-member", "POST", CALLBACK, 422, "VAL_001", TYPED, '{"code":"x"}'),
    case("callback-json-added-members", "POST", CALLBACK, 403, "AUTH_002", TYPED,
         '{"code":"x","state":"y","session_state":"z","scope":"openid","authuser":"0","prompt":"none","hd":null}'),
    case("callback-json-error", "POST", CALLBACK, 403, "AUTH_002", TYPED,
         '{"error":"access_denied","error_description":"no","state":"y"}'),
    case("callback-json-neither", "POST", CALLBACK, 422, "VAL_001", TYPED, '{"state":"y","code":null,"error":null}'),
    case("callback-json-wrong-type", "POST", CALLBACK, 422, "VAL_001", TYPED, '{"code":1,"state":true}'),
    case("callback-json-too-long", "POST", CALLBACK, 422, "VAL_001", TYPED,
         json.dumps({"code": "x" * 5000, "state": "y"})),
    case("callback-malformed-json", "POST", CALLBACK, 400, "VAL_002", TYPED, "{"),
    case("callback-not-utf8", "POST", CALLBACK, 400, "VAL_002", TYPED, b'{"code":"\xff\xfe"}'),
    case("callback-empty", "POST", CALLBACK, 422, "VAL_001", TYPED, ""),
    case("callback-array", "POST", CALLBACK, 422, "VAL_001", TYPED, "[]"),
    case("callback-form", "POST", CALLBACK, 415, "VAL_004",
         {**JSON, "content-type": "application/x-www-form-urlencoded"}, "code=x"),
    case("callback-untyped", "POST", CALLBACK, 415, "VAL_004", JSON, b"{}"),
    case("callback-huge", "POST", CALLBACK, 413, "VAL_003", TYPED, json.dumps({"code": "x" * 70_000})),
    case("logout", "POST", LOGOUT, 200, None, {**TYPED, "authorization": "Bearer {token}"}, "{}"),
    case("logout-no-body", "POST", LOGOUT, 200, None, {**JSON, "authorization": "Bearer {token}"}),
    case("logout-empty-body", "POST", LOGOUT, 200, None, {**TYPED, "authorization": "Bearer {token}"}, ""),
    case("logout-unknown-member", "POST", LOGOUT, 422, "VAL_001", {**TYPED, "authorization": "Bearer {token}"},
         '{"session_state":"x"}'),
    case("logout-no-body-no-credential", "POST", LOGOUT, 401, "AUTH_007", JSON),
    case("logout-no-body-cross-site", "POST", LOGOUT, 403, "AUTH_021",
         {**JSON, "cookie": "__Host-tg_session={session}", "origin": "https://evil.example"}),
    case("logout-from-another-loopback-name", "POST", LOGOUT, 403, "AUTH_021",
         {**TYPED, "cookie": "__Host-tg_session={session}", "origin": "http://127.0.0.1:5173"}, "{}"),
    case("login-from-another-loopback-name", "GET", f"{LOGIN}?redirect_uri=http://127.0.0.1:5173/", 400, "AUTH_006"),
    case("logout-foreign-redirect", "POST", LOGOUT, 400, "AUTH_006", {**TYPED, "authorization": "Bearer {token}"},
         '{"redirect_uri":"https://evil.example/"}'),
    case("logout-no-credential", "POST", LOGOUT, 401, "AUTH_007", TYPED, "{}"),
    case("logout-forged-token", "POST", LOGOUT, 401, "AUTH_004", {**TYPED, "authorization": "Bearer a.b.c"}, "{}"),
    case("backchannel-logout-no-body", "POST", BACKCHANNEL_LOGOUT, 400),
    case("backchannel-logout-json", "POST", BACKCHANNEL_LOGOUT, 400, None, TYPED, '{"logout_token":"a.b.c"}'),
    case("backchannel-logout-forged", "POST", BACKCHANNEL_LOGOUT, 400, None, FORM, "logout_token=a.b.c"),
    case("backchannel-logout-cross-origin", "POST", BACKCHANNEL_LOGOUT, 400, None, {**FORM, "origin": ORIGIN}, "a=b"),
    case("backchannel-logout-method", "GET", BACKCHANNEL_LOGOUT, 405, "VAL_006"),
    case("security-event-no-body", "POST", SECURITY_EVENTS, 400),
    case("security-event-json", "POST", SECURITY_EVENTS, 400, None, TYPED, "a.b.c"),
    case("security-event-forged", "POST", SECURITY_EVENTS, 400, None, SECEVENT, "a.b.c"),
    case("security-event-not-ascii", "POST", SECURITY_EVENTS, 400, None, SECEVENT, b"\xff"),
    case("security-event-huge", "POST", SECURITY_EVENTS, 400, None, SECEVENT, "a" * 70_000),
    case("security-event-cross-origin", "POST", SECURITY_EVENTS, 400, None, {**SECEVENT, "origin": ORIGIN}, "a.b.c"),
    case("security-event-method", "GET", SECURITY_EVENTS, 405, "VAL_006"),
    case("logout-cross-site", "POST", LOGOUT, 403, "AUTH_021",
         {**TYPED, "cookie": "__Host-tg_session={session}", "origin": "https://evil.example"}, "{}"),
    case("unknown-path", "GET", "/api/v1/nothing", 404, "VAL_005"),
    case("unknown-path-cross-origin", "GET", "/api/v1/nothing", 404, "VAL_005", {**JSON, "origin": ORIGIN}),
    case("unknown-path-browser", "GET", "/nothing/here", 404, headers={"accept": HTML}),
    case("trailing-slash", "GET", "/api/v1/health/live/", 404, "VAL_005"),
    case("encoded-path", "GET", "/api/v1/%2e%2e/health", 404, "VAL_005"),
    case("path-with-markup", "GET", "/%3Cscript%3Ealert(1)%3C/script%3E", 404, "VAL_005"),
    case("wrong-method", "DELETE", VALIDATE, 405, "VAL_006"),
    case("wrong-method-of-two", "PUT", CALLBACK, 405, "VAL_006"),
    case("head-of-a-get-route", "HEAD", "/api/v1/health/live", 405),
    case("provider-discovery", "GET", "/idp/.well-known/openid-configuration", 200),
    case("provider-unknown-path", "GET", "/idp/nothing", 404, "VAL_005"),
    case("provider-wrong-method", "DELETE", "/idp/token", 405, "VAL_006"),
    case("provider-token-without-client", "POST", "/idp/token", 401, None,
         {**JSON, "content-type": "application/x-www-form-urlencoded"}, "grant_type=authorization_code"),
    case("provider-authorize-unknown-client", "GET", "/idp/authorize?client_id=x&response_type=code", 400,
         headers={"accept": HTML}),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    base: str
    token: str
    session: str

    def send(self, asked: Case) -> httpx2.Response:
        headers = {
            name: value.replace("{token}", self.token).replace("{session}", self.session)
            for name, value in asked.headers.items()
        }
        with httpx2.Client(trust_env=False, timeout=30) as client:
            client.headers = httpx2.Headers({"host": self.base.removeprefix("http://"), "user-agent": "parity"})
            return client.request(asked.method, self.base + asked.path, headers=headers, content=asked.body)

    def named(self, text: str) -> str:
        """Replace the values that always differ by placeholders."""
        text = text.replace(self.base, "<base>").replace(self.base.replace("://", "%3A%2F%2F"), "<base>")
        text = text.replace(self.base.replace(":", "%3A").replace("/", "%2F"), "<base>").replace(self.token, "<token>")
        for pattern, name in VARYING:
            text = pattern.sub(name, text)
        return text


VARYING = [
    # Other tests have signed in as the same person on these stacks.
    (re.compile(r"<li data-session=.*</li>", re.DOTALL), "<sessions>"),
    # Sessions that were used in the same second come in any order.
    (re.compile(r'(?<="current":)(?:true|false)'), "<current>"),
    (re.compile(r'(?<="device":)(?:null|"[^"]*")'), "<device>"),
    (re.compile(r'(?<="address":)(?:null|"[^"]*")'), "<address>"),
    (re.compile(r'((?:"csrf_token":|"X-CSRF-Token": )")[\w-]{43}(?=")'), r"\1<csrf token>"),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "<jwt>"),
    (re.compile(r"(?<![\w/+-])[\w/+-]{15}=(?![\w=])"), "<request id>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<request id>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b1[0-9]{9}\b"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d( UTC|\+00:00)"), "<time>"),
    (re.compile(r"__Host-tg_login_[0-9a-f]{16}=[\w-]+"), "<login cookie>"),
    (re.compile(r"((?:state|nonce|code_challenge|client_id)=)[\w-]+"), r"\1<varies>"),
    (re.compile(r'(nonce[-=]"?)[\w+/=-]+'), r"\1<nonce>"),
    (re.compile(r"(?<=<code>)[\w-]{22}(?=</code>)"), "<jti>"),
    # One target may have more sessions than the other.
    (re.compile(r'(\{"id":"<uuid>","created_at":[^{}]*\})(?:,\1)+'), r"\1"),
    (re.compile(r"\b(?:in \d+ (?:s|min|h)(?: \d+ min)?|\d+ (?:s|min|h) ago)\b|(?<=\()now(?=\))"), "<distance>"),
]


@pytest.fixture(scope="session")
def targets(gateway: RunningStack, container: RunningStack) -> tuple[Target, Target]:
    made = []
    for name, stack in (("gateway", gateway), ("container", container)):
        with Browser() as browser:
            token = access_token(browser, stack.url)
        with Browser() as browser:
            sign_in_by_redirect(browser, stack.url)
            session = browser.named("__Host-tg_session")["__Host-tg_session"]
        made.append(Target(name, stack.url, token, session))
    return made[0], made[1]


@pytest.mark.parametrize("asked", CASES)
def test_both_targets_respond_equally(asked: Case, targets: tuple[Target, Target]) -> None:
    by_gateway, by_container = (target.send(asked) for target in targets)

    assert by_gateway.status_code == asked.status, by_gateway.text
    if asked.code is not None:
        error = by_gateway.json()["error"]
        assert set(error) == {"code", "message", "detail", "request_id"}
        assert error["code"] == asked.code
    seen = _seen(targets[0], by_gateway), _seen(targets[1], by_container)
    difference = "\n".join(difflib.unified_diff(seen[0], seen[1], "gateway", "container", lineterm="", n=0))
    assert not difference, difference


def _seen(target: Target, response: httpx2.Response) -> list[str]:
    """Return status, headers and body as lines."""
    headers = sorted(
        f"{name.lower()}: {target.named(value)}"
        for name, value in response.headers.multi_items()
        if name.lower() not in OWNED_BY_THE_FRONT
        # Only the container writes CORS headers and compresses; API Gateway adds a content type to empty bodies.
        and (name.lower(), value) not in {("vary", "Origin"), ("vary", "Accept-Encoding")}
        and (response.content or name.lower() != "content-type")
    )
    return [str(response.status_code), *headers, *target.named(response.text).splitlines()]


def test_every_route_of_one_target_exists_in_the_other(targets: tuple[Target, Target]) -> None:
    served = {
        (method, route.path)
        for router in function_routers()
        for route in router.routes
        if isinstance(route, APIRoute) and not route.path.startswith("/idp")
        for method in route.methods or ()
    }
    assert served == {(method, path) for path, methods in ROUTES.items() for method in methods}


@pytest.mark.parametrize("path", ["/api/v1/auth/validate", "/api/v1/auth/callback", "/api/v1/nothing"])
@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(ORIGIN, True), ("https://evil.example", False), ("http://localhost:5173.evil.example", False)],
)
def test_both_targets_respond_equally_to_a_preflight(
    path: str, origin: str, allowed: bool, targets: tuple[Target, Target]
) -> None:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    responses = [
        httpx2.request("OPTIONS", target.base + path, headers=asked, trust_env=False, timeout=30) for target in targets
    ]

    for response in responses:
        given = response.headers
        assert (given.get("access-control-allow-origin") == origin) is allowed
        if allowed:
            assert response.status_code == 204
            assert given["access-control-allow-credentials"] == "true"
            assert given["access-control-max-age"] == "86400"
            assert {"GET", "POST", "PUT", "DELETE", "OPTIONS"} == set(
                given["access-control-allow-methods"].replace(" ", "").split(",")
            )
            assert {"authorization", "content-type", "x-request-id"} <= set(
                given["access-control-allow-headers"].lower().replace(" ", "").split(",")
            )
    cors = [
        {
            name: sorted(value.split(","))
            for name, value in response.headers.items()
            if name.startswith("access-control-")
        }
        for response in responses
    ]
    assert cors[0] == cors[1]


class TestTheGatewaysOwnResponses:
    """An HTTP API returns its own 401 before any function runs; the container returns our error."""

    @pytest.mark.parametrize(
        "authorization", [None, "Bearer a.b.c", "Basic dTpw"], ids=["missing", "forged", "another-scheme"]
    )
    def test_401(self, authorization: str | None, targets: tuple[Target, Target]) -> None:
        headers = {**JSON, **({"authorization": authorization} if authorization else {})}
        gateway, container = (target.send(Case("GET", "/api/v1/auth/me", 401, headers=headers)) for target in targets)

        assert (gateway.status_code, gateway.json()) == (401, {"message": "Unauthorized"})
        assert container.status_code == 401
        assert container.json()["error"]["code"] in ("AUTH_004", "AUTH_007")
        assert container.headers["www-authenticate"].startswith("Bearer")
