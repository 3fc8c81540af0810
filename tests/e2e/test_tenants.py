"""The registry in the running product: a closed registration, a suspension, and its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID
from tenantgate_cli.main import app
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.stack.commands import RunningStack, dev_stack
from tests.fixtures.stack.flow import sign_in_as_app, sign_in_by_redirect

pytestmark = pytest.mark.xdist_group("stacks")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    settings = {"TENANT_REGISTRATION": "closed", "SESSION_IDLE_MINUTES": "20"}
    with dev_stack(tmp_path_factory.mktemp("closed"), env=settings) as stack:
        yield stack


def tenants(stack: RunningStack, *arguments: str) -> dict[str, Any]:
    # Without the variables of this process: the command reads the running stack.
    ran = CliRunner().invoke(app, ["tenants", *arguments, "--data-dir", str(stack.data_dir), "--json"])
    parsed: dict[str, Any] = json.loads(ran.stdout)
    return parsed


def me(browser: Browser, stack: RunningStack) -> int:
    """The status of a route behind the authorizer, which reads only Valkey."""
    return browser.get(f"{stack.url}/api/v1/auth/me", accept="application/json").status_code


def page_is_signed_in(browser: Browser, stack: RunningStack) -> bool:
    """A page of a web function, which reads PostgreSQL where Valkey has nothing."""
    return "You are signed in" in browser.get(f"{stack.url}/").text


def test_a_tenant_must_be_registered_then_may_be_suspended_and_activated(closed: RunningStack) -> None:
    with Browser() as browser:
        refused = sign_in_as_app(browser, closed.url)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AUTH_005")
        page = sign_in_by_redirect(browser, closed.url)
        assert page.status_code == 403
        assert "AUTH_005" in page.text
        assert browser.named("__Host-tg_session") == {}
        assert tenants(closed, "list")["tenants"] == []

        assert tenants(closed, "add", DEMO_TENANT_ID)["ok"]
        assert sign_in_by_redirect(browser, closed.url).status_code == 303
        assert me(browser, closed) == 200
        assert tenants(closed, "show", DEMO_TENANT_ID)["sessions"] == 1

        kept = dict(browser.cookies)
        suspended = tenants(closed, "suspend", DEMO_TENANT_ID)
        assert (suspended["stopped"], suspended["everywhere"]) == (1, True)
        assert me(browser, closed) == 401
        assert not page_is_signed_in(browser, closed)
        assert me(browser, closed) == 401
        with Browser() as other:
            again = sign_in_as_app(other, closed.url)
            assert (again.status_code, again.json()["error"]["code"]) == (403, "AUTH_005")

        # The page has cleared the browser's cookie.
        browser.cookies = kept
        assert tenants(closed, "activate", DEMO_TENANT_ID)["resumed"] == 1
        assert page_is_signed_in(browser, closed)
        assert me(browser, closed) == 200


def test_the_command_takes_the_running_stacks_limits_and_issuers(closed: RunningStack) -> None:
    tenants(closed, "add", "org-00000000-0000-4000-8000-0000000000ff")
    too_long = tenants(closed, "set", "org-00000000-0000-4000-8000-0000000000ff", "--idle-minutes", "21")
    assert "from 1 to 20, which is SESSION_IDLE_MINUTES" in too_long["problems"][0]["problem"]
    own = tenants(closed, "set", "org-00000000-0000-4000-8000-0000000000ff", "--issuers", f"{closed.url}/idp")
    assert own["tenant"]["allowed_issuers"] == [f"{closed.url}/idp"]


@pytest.mark.parametrize("target", ["gateway", "container"])
def test_an_open_registration_registers_a_tenant_at_its_first_sign_in(
    request: pytest.FixtureRequest, target: str
) -> None:
    stack: RunningStack = request.getfixturevalue(target)
    with Browser() as browser:
        assert sign_in_by_redirect(browser, stack.url).status_code == 303
    assert tenants(stack, "show", DEMO_TENANT_ID)["tenant"]["status"] == "active"
