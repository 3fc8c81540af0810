"""Valkey killed, frozen and emptied while people work, behind the real functions and the authorizer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from threading import Event

import httpx2
import pytest

from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.valkey import command, frozen, killed
from tests.fixtures.stack.commands import RunningStack, dev_stack
from tests.fixtures.stack.flow import access_token, sign_in_by_redirect

# The shortest that the setting accepts.
ENTRY_SECONDS = 10
ENDED_HERE_ONLY = (503, "SYS_005")


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def running(valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    variables = {"REDIS_URL": valkey.start(), "SESSION_CACHE_SECONDS": str(ENTRY_SECONDS)}
    with dev_stack(tmp_path_factory.mktemp("stack"), env=variables) as stack:
        yield stack


@pytest.fixture
def stack(running: RunningStack, valkey: EmbeddedValkey) -> RunningStack:
    command(valkey.start(), "FLUSHALL")
    return running


type Away = Callable[[EmbeddedValkey], AbstractContextManager[None]]
AWAY = pytest.mark.parametrize("away", [killed, frozen])


class Person:
    """A person who signed in with a browser."""

    def __init__(self, stack: RunningStack, browser: Browser) -> None:
        self._stack = stack
        self._browser = browser
        answer = sign_in_by_redirect(browser, stack.url)
        assert answer.is_redirect, answer.text
        assert self.is_signed_in()

    def is_signed_in(self) -> bool:
        """Tell whether a web function finds the session, and has it put the entry back."""
        page = self._browser.get(f"{self._stack.url}/")
        assert page.status_code == 200, page.text
        return "demo@example.test" in page.text

    def lists_sessions(self) -> bool:
        """Tell whether the list of sessions has the browser's own, and the CSRF token of a caller by cookie."""
        answer = self._browser.get(f"{self._stack.url}/api/v1/auth/sessions", accept="application/json")
        assert answer.status_code == 200, answer.text
        listed = answer.json()
        return any(session["current"] for session in listed["sessions"]) and bool(listed["csrf_token"])

    def refreshes(self) -> bool:
        """Tell whether the session gets a new access token; its cookie then has a new secret."""
        answer = self._browser.post_json(
            f"{self._stack.url}/api/v1/auth/refresh", None, headers={"origin": self._stack.url}
        )
        return answer.status_code == 200 and bool(answer.headers["x-csrf-token"])

    def passes(self) -> int:
        """Return the status of a request that the authorizer decides."""
        return self._browser.get(f"{self._stack.url}/api/v1/auth/me", accept="application/json").status_code

    def comes_in(self) -> bool:
        """Tell whether the authorizer lets the person in soon: a server that is back has no list of revocations yet."""
        return within(5, lambda: self.passes() == 200)

    def sign_out(self) -> httpx2.Response:
        return self._browser.post_json(f"{self._stack.url}/api/v1/auth/logout", {}, headers={"origin": self._stack.url})

    def sign_out_everywhere(self, csrf_token: str) -> httpx2.Response:
        return self._browser.request(
            "DELETE",
            f"{self._stack.url}/api/v1/auth/sessions",
            headers={"origin": self._stack.url, "x-csrf-token": csrf_token},
        )

    def keep_cookies(self) -> Callable[[], None]:
        """Return a function that sets these cookies again after a response has cleared them."""
        kept = dict(self._browser.cookies)
        return lambda: self._browser.cookies.update(kept)

    def csrf_token(self) -> str:
        listed = self._browser.get(f"{self._stack.url}/api/v1/auth/sessions", accept="application/json").json()
        return str(listed["csrf_token"])

    def token(self) -> str:
        return access_token(self._browser, self._stack.url)


type SignIn = Callable[[], Person]


@pytest.fixture
def sign_in(stack: RunningStack) -> Iterator[SignIn]:
    """Sign in another person."""
    with ExitStack() as browsers:
        yield lambda: Person(stack, browsers.enter_context(Browser()))


def decisions(stack: RunningStack) -> str:
    log = stack.data_dir / "logs" / "AuthorizerFunction.log"
    return log.read_text() if log.exists() else ""


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Tell whether this comes true within these seconds."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


def code_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("repair", [Person.is_signed_in, Person.lists_sessions, Person.refreshes])
def test_an_emptied_valkey_ends_no_session(
    sign_in: SignIn, valkey: EmbeddedValkey, repair: Callable[[Person], bool]
) -> None:
    person = sign_in()
    assert person.passes() == 200

    command(valkey.start(), "FLUSHALL")

    assert person.passes() == 401
    assert repair(person)
    assert person.passes() == 200


@AWAY
def test_without_valkey_web_functions_work_and_the_authorizer_makes_no_decision_on_cookies(
    stack: RunningStack, sign_in: SignIn, valkey: EmbeddedValkey, away: Away
) -> None:
    person = sign_in()
    token = person.token()
    assert person.passes() == 200
    before = len(decisions(stack))

    def by_token() -> int:
        headers = {"authorization": f"Bearer {token}"}
        return httpx2.get(f"{stack.url}/api/v1/auth/me", headers=headers, timeout=30, trust_env=False).status_code

    assert by_token() == 200
    with away(valkey):
        # Until the list of revocations is too old.
        assert by_token() == 200
        for _ in range(3):
            began = time.monotonic()
            assert person.is_signed_in()
            assert person.lists_sessions()
            assert person.refreshes()
            assert time.monotonic() - began < 5
            assert person.passes() == 500
        other = sign_in()
        assert other.passes() == 500
        assert within(8, lambda: by_token() == 500)

    time.sleep(1.1)  # the functions' pause after a failure
    for signed_in in (person, other):
        assert signed_in.is_signed_in()
        assert signed_in.comes_in()
    assert by_token() == 200
    log = decisions(stack)[before:].replace(" ", "")
    assert log.count('"error_code":"SYS_005"') == 4
    assert log.count('"error_code":"SYS_011"') >= 1
    assert "AUTH_020" not in log


@AWAY
def test_who_signs_out_without_valkey_is_out_for_good_within_the_life_of_the_entry(
    sign_in: SignIn, valkey: EmbeddedValkey, away: Away
) -> None:
    """One person signs out here, and another one everywhere. Both keep the cookies, as a thief would."""
    here, everywhere = people = [sign_in(), sign_in()]
    set_again = [person.keep_cookies() for person in people]
    csrf_token = everywhere.csrf_token()
    assert [person.passes() for person in people] == [200, 200]
    last_read = time.monotonic()

    with away(valkey):
        assert code_of(here.sign_out()) == ENDED_HERE_ONLY
        assert code_of(everywhere.sign_out_everywhere(csrf_token)) == ENDED_HERE_ONLY
        for cookies in set_again:
            cookies()
        assert [person.passes() for person in people] == [500, 500]

    # A server that is back has no recent list of revocations for a moment: no decision.
    while any(person.passes() != 401 for person in people):
        assert time.monotonic() < last_read + ENTRY_SECONDS + 1, "let in for longer than the entry's life"
        time.sleep(0.2)
    assert [person.passes() for person in people] == [401, 401]
    assert not any(person.is_signed_in() for person in people)
    for cookies in set_again:
        cookies()
    assert [person.passes() for person in people] == [401, 401]


@AWAY
def test_a_repeated_sign_out_ends_the_session_everywhere(sign_in: SignIn, valkey: EmbeddedValkey, away: Away) -> None:
    person = sign_in()
    with away(valkey):
        assert code_of(person.sign_out()) == ENDED_HERE_ONLY
    time.sleep(1.1)  # the function's pause after a failure

    assert person.sign_out().status_code == 200
    assert person.passes() == 401


def test_every_session_lives_on_while_valkey_comes_and_goes(sign_in: SignIn, valkey: EmbeddedValkey) -> None:
    people = [sign_in() for _ in range(3)]
    done = Event()

    def work(person: Person) -> set[int]:
        statuses: set[int] = set()
        while not done.is_set():
            assert person.is_signed_in()
            statuses.add(person.passes())
        return statuses

    with ThreadPoolExecutor(len(people)) as pool:
        working = [pool.submit(work, person) for person in people]
        try:
            for away in (frozen, killed, frozen):
                with away(valkey):
                    time.sleep(1.5)
                time.sleep(1)
        finally:
            done.set()
        seen = [future.result() for future in working]

    # A killed server has lost its entries: the authorizer then knows no session until a web function has read it.
    assert all({200, 500} <= statuses <= {200, 401, 500} for statuses in seen)
    time.sleep(1.1)
    for person in people:
        assert person.is_signed_in()
        assert person.comes_in()
