"""A person's own sessions in a real browser, on a desktop and on a phone.

With `PAGE_SCREENSHOTS=folder`, the list of sessions is also written there, in both themes and widths.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tenantgate.database.pool import PooledDatabase
from tenantgate.openid_provider.storage.demo import PERSONAS
from tests.e2e.test_pages import check
from tests.fixtures.databases.valkey import command
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.settings import stack_settings

pytestmark = [requires_chromium, pytest.mark.xdist_group("stacks")]

# The other tests on these stacks sign in as the first one: signing out everywhere must not end their sessions.
_, PERSON, _ = PERSONAS
SIGNED_IN, SIGNED_OUT, SIGN_IN = "You are signed in", "You are signed out", "Sign in to continue"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1",
}
# The status and the error code of a request that the page's script makes, with the cookie.
CALL = """async ([method, path, token]) => {
  const headers = token ? { "X-CSRF-Token": token } : {};
  const response = await fetch(path, { method, headers });
  const text = await response.text();
  return [response.status, text ? JSON.parse(text).error?.code ?? null : null];
}"""


@pytest.fixture(params=["gateway", "container"])
def stack(request: pytest.FixtureRequest) -> RunningStack:
    running: RunningStack = request.getfixturevalue(request.param)
    # Other tests leave sessions of this person, too.
    _run(stack_settings(running)["DATABASE_URL"], "DELETE FROM sessions WHERE user_id = $1", PERSON.id)
    return running


@pytest.fixture
def desktop(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def phone(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(**PHONE)
    yield context
    context.close()


def sign_in(context: BrowserContext, stack: RunningStack, *, is_known: bool = False) -> Page:
    """Sign in. `is_known`: the provider asks nothing, because it still has a session in this browser."""
    page = context.new_page()
    page.goto(f"{stack.url}/api/v1/auth/login?return_to=/")
    if not is_known:
        page.get_by_role("button", name=f"{PERSON.name} {PERSON.email}", exact=True).click()
    expect(page.get_by_role("heading", name=SIGNED_IN)).to_be_visible()
    return page


def call(page: Page, method: str, path: str, token: str | None = None) -> tuple[int, str | None]:
    status, code = page.evaluate(CALL, [method, path, token])
    return status, code


def csrf_token(page: Page) -> str:
    token = page.evaluate("async () => (await (await fetch('/api/v1/auth/sessions')).json()).csrf_token")
    assert isinstance(token, str)
    return token


def end_all(page: Page) -> None:
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("heading", name=SIGNED_OUT)).to_be_visible()


def test_a_person_sees_and_ends_own_sessions(
    desktop: BrowserContext, phone: BrowserContext, stack: RunningStack
) -> None:
    first, on_phone = sign_in(desktop, stack), sign_in(phone, stack)
    # A second tab at the same time: one session, one CSRF token.
    second = desktop.new_page()
    second.goto(f"{stack.url}/")
    assert csrf_token(first) == csrf_token(second)
    assert csrf_token(first) != csrf_token(on_phone)

    first.reload()
    rows = first.locator("li[data-session]")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="this one")).to_contain_text("Chrome on Linux")
    other = rows.filter(has_text="Safari on iPhone")
    expect(other).to_contain_text(re.compile(r"127\.0\.0\.1|::1"))
    check(first, "sessions", heading=SIGNED_IN)

    # The other one is refused at once by the functions, and by the authorizer.
    assert call(on_phone, "GET", "/api/v1/auth/me")[0] == 200
    other.get_by_role("button", name=re.compile("End the session: Safari on iPhone")).click()
    expect(rows).to_have_count(1)
    assert call(on_phone, "GET", "/api/v1/auth/validate") == (401, "AUTH_020")
    assert call(on_phone, "GET", "/api/v1/auth/me")[0] == 401
    on_phone.reload()
    expect(on_phone.get_by_role("heading", name=SIGN_IN)).to_be_visible()

    # The second tab still shows what was there before, and works.
    second.bring_to_front()
    assert call(second, "GET", "/api/v1/auth/me")[0] == 200
    on_phone = sign_in(phone, stack, is_known=True)
    check(on_phone, "sessions-on-a-phone", heading=SIGNED_IN)
    end_all(second)
    for page in (first, on_phone):
        assert call(page, "GET", "/api/v1/auth/validate")[0] == 401
        page.reload()
        expect(page.get_by_role("heading", name=re.compile(f"{SIGN_IN}|{SIGNED_OUT}"))).to_be_visible()


def test_a_session_that_ended_elsewhere_is_gone_from_a_list_that_is_open(
    desktop: BrowserContext, phone: BrowserContext, stack: RunningStack
) -> None:
    on_phone, page = sign_in(phone, stack), sign_in(desktop, stack)
    assert call(on_phone, "DELETE", "/api/v1/auth/sessions", csrf_token(on_phone)) == (204, None)
    page.get_by_role("button", name=re.compile("End the session: Safari on iPhone")).click()
    expect(page.get_by_role("alert")).to_contain_text("AUTH_020")
    page.reload()
    expect(page.get_by_role("heading", name=SIGN_IN)).to_be_visible()


def test_an_unused_session_ends_by_the_idle_timeout(desktop: BrowserContext, stack: RunningStack) -> None:
    """The clock isn't moved: the session's last use, in PostgreSQL and in Valkey, is set 31 minutes back."""
    page = sign_in(desktop, stack)
    assert call(page, "GET", "/api/v1/auth/validate")[0] == 200
    settings = stack_settings(stack)
    _set_back(settings["DATABASE_URL"], minutes=29)
    _forget_entries(settings["REDIS_URL"])
    # Still live, and this use counts.
    assert call(page, "GET", "/api/v1/auth/validate")[0] == 200
    _set_back(settings["DATABASE_URL"], minutes=31)
    _forget_entries(settings["REDIS_URL"])
    assert call(page, "GET", "/api/v1/auth/validate") == (401, "AUTH_020")
    assert call(page, "GET", "/api/v1/auth/me")[0] == 401
    page.reload()
    expect(page.get_by_role("heading", name=SIGN_IN)).to_be_visible()


def _set_back(url: str, *, minutes: int) -> None:
    statement = "UPDATE sessions SET last_used_at = now() - make_interval(mins => $1) WHERE user_id = $2"
    _run(url, statement, minutes, PERSON.id)


def _run(url: str, statement: str, *values: object) -> None:
    async def run() -> None:
        database = PooledDatabase(url)
        try:
            async with database.tenant(PERSON.tenant_id) as unit:
                await unit.execute(statement, *values)
        finally:
            await database.dispose()

    # In its own thread: the browser's library has a running loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(run())).result(30)


def _forget_entries(url: str) -> None:
    # Their time would have ended meanwhile.
    command(url, "FLUSHALL")
