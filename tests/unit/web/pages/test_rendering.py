import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any, override

import pytest
from starlette.responses import HTMLResponse

from tenantgate.context import RequestContext, begin_request
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.login.errors import StateMismatch
from tenantgate.web.pages.rendering import error_page, page

ATTACK = "<script>alert(1)</script>\"'><img src=x>"
SESSION = {
    "user_id": "user-1",
    "tenant_id": "org-1",
    "issuer": "https://issuer.example.test",
    "expires": datetime(2026, 11, 21, 20, 0, tzinfo=UTC),
    "claims": [("sub", '"user-1"'), ("scope", '"openid"')],
}


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


PAGES = [
    pytest.param(lambda: page("home.html", session=None), id="signed-out"),
    pytest.param(lambda: page("home.html", session=SESSION), id="signed-in"),
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
    one, two = page("home.html", session=None), page("home.html", session=None)
    assert one.headers["content-security-policy"] != two.headers["content-security-policy"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda: page("home.html", session=SESSION | {"user_id": ATTACK, "claims": [(ATTACK, ATTACK)]}), id="home"
        ),
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
    elements = Elements(html_of(page("home.html", session=None)))
    assert {"class": "button", "id": "sign-in", "href": "/api/v1/auth/login?return_to=/"} in elements.named("a")
    assert elements.named("script") == []


def test_with_a_session_the_home_page_shows_user_and_expiry() -> None:
    html = html_of(page("home.html", session=SESSION))
    for text in ("user-1", "org-1", "https://issuer.example.test", "2026-11-21 20:00:00 UTC", "openid", "Sign out"):
        assert text in html


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
    response = page("home.html", session=None, form_targets=("'self'", "https://app.example.test"))
    assert "form-action 'self' https://app.example.test;" in response.headers["content-security-policy"]
