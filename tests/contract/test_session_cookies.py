"""Attacks with session cookies over the wire, against the gateway and the container: fixation, and duplicate names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.fixtures.browsers.scripted import HTML, Browser
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import sign_in_as_app, sign_in_by_redirect

pytestmark = pytest.mark.xdist_group("stacks")

SESSION = "__Host-tg_session"
SESSIONS, VALIDATE, ME = "/api/v1/auth/sessions", "/api/v1/auth/validate", "/api/v1/auth/me"
# Lines of the header `Cookie`, with the secrets of the person's session and of an attacker's.
AMBIGUOUS = [
    pytest.param(["{name}={mine}; {name}={theirs}"], id="two-pairs"),
    pytest.param(["{name}={theirs}; {name}={mine}"], id="two-pairs-planted-first"),
    pytest.param(["{name}={mine}", "{name}={theirs}"], id="two-lines"),
    pytest.param(["{name}={theirs}", "{name}={mine}"], id="two-lines-planted-first"),
    pytest.param(["theme=dark; {lower}={theirs}", "{name}={mine}"], id="other-letters"),
    pytest.param(["{name}={mine}{long}"], id="oversized"),
]


@dataclass(frozen=True)
class SignedIn:
    """The session of a browser."""

    secret: str
    session_id: str
    csrf_token: str


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


@pytest.fixture
def attacker(base: str) -> Iterator[Browser]:
    with Browser() as made:
        assert sign_in_by_redirect(made, base).status_code == 303
        yield made


@pytest.fixture
def person() -> Iterator[Browser]:
    with Browser() as made:
        yield made


def ask(base: str, method: str, path: str, lines: list[str], **headers: str) -> httpx2.Response:
    given = [*headers.items(), *(("cookie", line) for line in lines)]
    return httpx2.request(method, base + path, headers=given, trust_env=False, timeout=30)


def signed_in(browser: Browser, base: str) -> SignedIn:
    [(_, secret)] = browser.named(SESSION).items()
    body: dict[str, Any] = browser.get(base + SESSIONS, accept="application/json").json()
    [current] = [session["id"] for session in body["sessions"] if session["current"]]
    return SignedIn(secret, current, body["csrf_token"])


def statuses(base: str, secret: str) -> list[int]:
    """Ask a function that reads Valkey, one that reads PostgreSQL, and a route behind the authorizer."""
    return [ask(base, "GET", path, [f"{SESSION}={secret}"]).status_code for path in (VALIDATE, SESSIONS, ME)]


@pytest.mark.parametrize("sign_in", [sign_in_by_redirect, sign_in_as_app], ids=["redirect", "post"])
def test_an_attackers_live_session_never_becomes_the_persons(
    base: str, attacker: Browser, person: Browser, sign_in: Callable[[Browser, str], httpx2.Response]
) -> None:
    """Session fixation: the attacker's own cookie is in the person's browser before the sign-in."""
    planted = signed_in(attacker, base)
    assert statuses(base, planted.secret) == [200, 200, 200]
    person.cookies[urlsplit(base).hostname or "", "/", SESSION] = planted.secret
    assert sign_in(person, base).is_error is False
    own = signed_in(person, base)
    assert own.secret != planted.secret
    assert own.session_id != planted.session_id
    assert own.csrf_token != planted.csrf_token
    # Anyone else who has the old secret is signed out.
    assert statuses(base, planted.secret) == [401, 401, 401]
    assert statuses(base, own.secret) == [200, 200, 200]


def test_a_secret_that_the_attacker_made_up_is_replaced(base: str, attacker: Browser, person: Browser) -> None:
    tenant = signed_in(attacker, base).secret.rpartition(".")[0]
    made_up = f"{tenant}.{'x' * 43}"
    person.cookies[urlsplit(base).hostname or "", "/", SESSION] = made_up
    assert sign_in_by_redirect(person, base).status_code == 303
    assert signed_in(person, base).secret != made_up
    assert statuses(base, made_up) == [401, 401, 401]


@pytest.mark.parametrize("lines", AMBIGUOUS)
def test_a_second_cookie_never_decides(base: str, attacker: Browser, person: Browser, lines: list[str]) -> None:
    assert sign_in_by_redirect(person, base).status_code == 303
    mine, theirs = signed_in(person, base), signed_in(attacker, base)
    values = {"name": SESSION, "lower": SESSION.lower(), "mine": mine.secret, "theirs": theirs.secret}
    sent = [line.format(**values, long="A" * 4096) for line in lines]
    for path in (VALIDATE, SESSIONS, ME):
        refused = ask(base, "GET", path, sent)
        assert refused.status_code == 401, path
        assert not {mine.secret, theirs.secret} & {refused.text}
    for method, path in (
        ("POST", "/api/v1/auth/refresh"),
        ("POST", "/api/v1/auth/logout"),
        ("DELETE", SESSIONS),
        ("DELETE", f"{SESSIONS}/{mine.session_id}"),
    ):
        refused = ask(base, method, path, sent, **{"origin": base, "x-csrf-token": mine.csrf_token})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "AUTH_007"), path
    home = ask(base, "GET", "/", sent, accept=HTML)
    assert "Sign in to continue" in home.text
    assert home.headers["set-cookie"].startswith(f"{SESSION}=; Max-Age=0")
    # Nothing has ended, and several lines without the name twice are one list (RFC 9113 §8.2.3).
    assert statuses(base, mine.secret) == statuses(base, theirs.secret) == [200, 200, 200]
    assert ask(base, "GET", VALIDATE, ["theme=dark", f"{SESSION}={mine.secret}"]).status_code == 200
