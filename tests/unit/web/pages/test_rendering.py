import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any, override

import pytest
from starlette.responses import HTMLResponse

from tenantgate.context import RequestContext, begin_request
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError, ValidationFailed
from tenantgate.login.errors import ProviderRefusedClient, StateMismatch
from tenantgate.login.provider.provider_errors import returned_error, token_endpoint_remedy
from tenantgate.web.errors import MethodNotAllowed, NotFound
from tenantgate.web.pages.moments import moment
from tenantgate.web.pages.rendering import error_page, page

ATTACK = "<script>alert(1)</script>\"'><img src=x>"
OWN = {
    "id": "a",
    "is_current": True,
    "device": "Firefox on Linux",
    "address": "203.0.113.0/24",
    "created": moment(1_795_291_000, now=1_795_291_200),
    "used": moment(1_795_291_100, now=1_795_291_200),
}
SESSION = {
    "name": "Ada",
    "email": "ada@example.test",
    "developer": None,
    "user_id": "user-1",
    "tenant_id": "org-1",
    "issuer": "https://issuer.example.test",
    "expires": moment(1_795_291_200, now=1_795_291_200 - 3599),
    "claims": [("sub", "user-1", None), ("scope", "openid", None), ("exp", "0", moment(0, now=5))],
    "csrf_token": "c" * 43,
    "own": [OWN, OWN | {"id": "b", "is_current": False, "address": None}],
    "more": 3,
}
DEVELOPER = {"token": "e30.e30.c2ln", "curl": "curl e30.e30.c2ln http://localhost:3000/"}


class Elements(HTMLParser):
    """Collects every element with its attributes. Fails on one that is closed without being open."""

    VOID = frozenset({"meta", "link", "input", "path", "rect", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(autouse=True)
def _request() -> None:
    begin_request(RequestContext(request_id="request-4711"))


PERSONAS = [SimpleNamespace(id="1", name="Demo Admin", email="a@b.example")]


def sign_in(**context: Any) -> HTMLResponse:
    given: dict[str, Any] = {
        "action": "/idp/authorize",
        "client_name": "App",
        "error": None,
        "hidden": {},
        "username": "",
        "personas": (),
    }
    return page("sign_in.html", **(given | context))


def html_of(response: HTMLResponse) -> str:
    return bytes(response.body).decode()


def home(session: dict[str, Any] | None, **context: Any) -> HTMLResponse:
    given: dict[str, Any] = {"signed_out": False, "marker": "__Host-x"}
    return page("home.html", session=session, **(given | context))


PAGES = [
    pytest.param(lambda: home(None), id="home"),
    pytest.param(lambda: home(None, signed_out=True), id="signed-out"),
    pytest.param(lambda: home(SESSION), id="signed-in"),
    pytest.param(lambda: home(SESSION | {"developer": DEVELOPER}), id="signed-in-in-development"),
    pytest.param(lambda: error_page(NotFound(), debug=False), id="not-found"),
    pytest.param(lambda: error_page(MethodNotAllowed(), debug=False, allow="POST"), id="wrong-method"),
    pytest.param(lambda: page("sign_out.html", action="/idp/sign_out", form_token="x"), id="sign-out"),
    pytest.param(lambda: page("signed_out.html"), id="signed-out-at-the-provider"),
    pytest.param(lambda: error_page(StateMismatch(), debug=False), id="error"),
    pytest.param(lambda: error_page(StateMismatch("no cookie", state="x"), debug=True), id="error-with-debug"),
    pytest.param(lambda: sign_in(error="Wrong", hidden={"state": "s"}, username="a@b.example"), id="sign-in"),
    pytest.param(lambda: sign_in(personas=PERSONAS), id="sign-in-with-personas"),
]


@pytest.mark.parametrize("make", PAGES)
def test_a_page_is_well_formed_and_loads_nothing_from_other_sites(make: Any) -> None:
    response = make()
    html = html_of(response)
    elements = Elements(html)
    policy = response.headers["content-security-policy"]
    nonce = re.search(r"style-src 'nonce-([^']+)'", policy)
    assert nonce is not None
    assert elements.named("html") == [{"lang": "en"}]
    assert len(elements.named("title")) == len(elements.named("h1")) == len(elements.named("main")) == 1
    for element in elements.named("style") + elements.named("script"):
        assert element == {"nonce": nonce[1]}
    for _, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            target = attributes.get(name)
            assert target is None or target.startswith(("/", "data:"))
    for label in elements.named("label"):
        assert label["for"] in {element.get("id") for element in elements.named("input")}
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_every_rendering_has_a_new_nonce() -> None:
    one, two = home(None), home(None)
    assert one.headers["content-security-policy"] != two.headers["content-security-policy"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda: home(
                SESSION
                | {"user_id": ATTACK, "name": ATTACK, "email": ATTACK, "claims": [(ATTACK, ATTACK, None)]}
                | {"own": [OWN | {"device": ATTACK, "address": ATTACK, "is_current": False}]}
                | {"developer": {"token": ATTACK, "curl": ATTACK}}
            ),
            id="home",
        ),
        pytest.param(
            lambda: error_page(DatabaseUnreachable(detail={"description": ATTACK, "remedy": ATTACK}), debug=False),
            id="description",
        ),
        pytest.param(lambda: error_page(ValidationFailed(detail=[{ATTACK: ATTACK}]), debug=False), id="rows"),
        pytest.param(lambda: error_page(DatabaseUnreachable(ATTACK, value=ATTACK), debug=True), id="error"),
        pytest.param(lambda: error_page(DatabaseUnreachable(detail=ATTACK), debug=False), id="detail"),
        pytest.param(
            lambda: sign_in(action=ATTACK, client_name=ATTACK, error=ATTACK, hidden={ATTACK: ATTACK}, username=ATTACK),
            id="sign-in",
        ),
        pytest.param(
            lambda: sign_in(personas=[SimpleNamespace(id=ATTACK, name=ATTACK, email=ATTACK)]), id="personas"
        ),
    ],
)  # fmt: skip
def test_text_is_escaped(make: Any) -> None:
    html = html_of(make())
    assert "alert(1)" in html
    assert "<script>alert" not in html
    assert "<img" not in html


def test_without_a_session_the_home_page_links_to_the_sign_in() -> None:
    elements = Elements(html_of(home(None)))
    assert {"class": "button", "id": "sign-in", "href": "/api/v1/auth/login?return_to=/"} in elements.named("a")
    assert elements.named("script") == []


def test_with_a_session_the_home_page_shows_user_and_expiry() -> None:
    html = html_of(home(SESSION))
    texts = ("Ada", "ada@example.test", "user-1", "org-1", "https://issuer.example.test", "openid", "Sign out")
    for text in (*texts, "2026-11-21 20:00:00 UTC", "(in 59 min)", "(5 s ago)"):
        assert text in html
    assert "access-token" not in html
    assert "/docs" not in html


def test_only_local_development_shows_the_token() -> None:
    elements = Elements(html_of(home(SESSION | {"developer": DEVELOPER})))
    fields = {element["id"]: element for element in elements.named("input")}
    assert {name: field["value"] for name, field in fields.items()} == {
        "access-token": DEVELOPER["token"],
        "curl": DEVELOPER["curl"],
    }
    # Without JavaScript the field can be selected and the button, which could do nothing, is hidden.
    assert all("readonly" in field for field in fields.values())
    buttons = [element for element in elements.named("button") if "data-copy" in element]
    assert [(button["data-copy"], "hidden" in button) for button in buttons] == [("access-token", True), ("curl", True)]
    assert [link for link in elements.named("a") if link["href"] == "/docs"]


@pytest.mark.parametrize(
    ("signed_out", "heading"), [(False, "<h1>Sign in to continue</h1>"), (True, "<h1>You are signed out</h1>")]
)
def test_the_heading_says_that_the_user_signed_out(signed_out: bool, heading: str) -> None:
    assert heading in html_of(home(None, signed_out=signed_out))


def test_an_error_page_shows_code_cause_request_id_and_a_link() -> None:
    response = error_page(StateMismatch("no cookie"), debug=False)
    html = html_of(response)
    assert response.status_code == 403
    cause = ("could not be matched", "<code>state</code> is missing", "belongs to another browser")
    for text in ("AUTH_002", *cause, "request-4711", "Try again"):
        assert text in html
    assert "no cookie" not in html


def test_only_debugging_shows_private_details() -> None:
    assert "no cookie" in html_of(error_page(StateMismatch("no cookie"), debug=True))
    assert "no cookie" not in html_of(error_page(StateMismatch("no cookie"), debug=False))


def test_a_page_may_allow_other_targets_for_its_form() -> None:
    response = home(None, form_targets=("'self'", "https://app.example.test"))
    assert "form-action 'self' https://app.example.test;" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("error", "path", "button"),
    [
        (NotFound(), "/nothing", '<a class="button" id="start" href="/">Go to the start page</a>'),
        (MethodNotAllowed(), "/api/v1/auth/logout", '<a class="button" id="start" href="/">Go to the start page</a>'),
        (DatabaseUnreachable(), "/", '<a class="button" id="try-again" href="/">Try again</a>'),
        (
            StateMismatch(),
            "/api/v1/auth/callback",
            '<a class="button" id="try-again" href="/api/v1/auth/login?return_to=/">Try again</a>',
        ),
    ],
)
def test_an_error_page_has_a_way_on(error: TenantgateError, path: str, button: str) -> None:
    assert button in html_of(error_page(error, debug=False, path=path))


def test_an_error_page_has_no_json_and_shows_what_the_provider_says() -> None:
    html = html_of(error_page(returned_error("access_denied", description="It's the user's \"no\"."), debug=True))
    for text in (
        '<h1>The <span class="word">sign-in</span> was cancelled</h1>',
        '<blockquote id="description">It&#39;s the user&#39;s &#34;no&#34;.</blockquote>',
        '<div class="detail"><dt>provider error</dt><dd>access_denied</dd></div>',
        '<div class="detail"><dt>reason</dt><dd>the provider returned an error</dd></div>',
    ):
        assert text in html
    for text in ("\\u00", "{&#34;", "***"):
        assert text not in html


def test_a_refused_client_names_its_settings_and_not_the_network() -> None:
    detail = {"provider_error": "invalid_client", "remedy": token_endpoint_remedy("invalid_client")}
    html = html_of(error_page(ProviderRefusedClient(detail=detail), debug=False))
    for text in (
        "<h1>The identity provider refused our client</h1>",
        "SYS_012",
        '<p id="remedy">Compare OIDC_CLIENT_ID and OIDC_CLIENT_SECRET with the client registered at the provider.',
        "report it with the code and the request id",
    ):
        assert text in html
    assert "can&#39;t be reached" not in html
