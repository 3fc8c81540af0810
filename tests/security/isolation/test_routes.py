"""Every route with ids of another tenant, and of another user: like ids that don't exist, 404 without a hint.

The routes come from the functions' routers and the ids from the database, so that new ones are covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx2
import pytest

from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.personas import Persona
from tests.fixtures.browsers.scripted import Browser, form_of, location
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.isolation.schema import read_tables
from tests.fixtures.isolation.walk import Route, application, application_routes
from tests.fixtures.stack.flow import SPA_CALLBACK, SPA_ORIGIN

ADMIN, MEMBER, OUTSIDER = PERSONAS
ROUTES = application_routes()
# Parameters by which a caller might name a foreign object if a route has none for it.
NAMES = ("id", "session_id", "sid", "tenant_id", "tenant", "user_id", "sub", "issuer")
SESSIONS = "/api/v1/auth/sessions"


@dataclass
class User:
    """A signed-in user, who signs in again when a request has ended the session."""

    base: str
    persona: Persona
    browser: Browser
    csrf_token: str = ""
    token: str = ""

    def sign_in(self) -> None:
        self.browser.cookies.clear()
        login = f"{self.base}/api/v1/auth/login?{urlencode({'redirect_uri': SPA_CALLBACK})}"
        page = self.browser.get(self.browser.get(login, accept="application/json").json()["authorization_url"])
        action, hidden = form_of(page)
        returned = location(self.browser.submit(action, {**hidden, "persona": self.persona.id}))
        answer = {name: values[0] for name, values in parse_qs(urlsplit(returned).query).items()}
        url = f"{self.base}/api/v1/auth/callback"
        response = self.browser.post_json(url, answer, headers={"origin": SPA_ORIGIN})
        assert response.status_code == 200, response.text
        self.token, self.csrf_token = response.json()["access_token"], response.headers["x-csrf-token"]

    def session_ids(self) -> list[str]:
        listed = self.browser.get(self.base + SESSIONS, accept="application/json")
        assert listed.status_code == 200, listed.text
        return [one["id"] for one in listed.json()["sessions"]]

    def send(
        self, route: Route, path: str, *, bearer: bool, headers: Mapping[str, str] | None = None, body: object = None
    ) -> httpx2.Response:
        """Send a request with the cookie, or with the bearer token and without cookies."""
        given = {"accept": "application/json", "origin": self.base, "sec-fetch-site": "same-origin", **(headers or {})}
        given |= {"authorization": f"Bearer {self.token}"} if bearer else {"x-csrf-token": self.csrf_token}
        kept = dict(self.browser.cookies)
        if bearer:
            self.browser.cookies.clear()
        response = self.browser.request(
            route.method, self.base + path, headers=given, json=body if route.method != "GET" else None
        )
        if bearer:
            self.browser.cookies = kept
        if route.method != "GET" and response.status_code < 400:
            self.sign_in()
        return response


@dataclass
class Scene:
    """An attacker, and two victims: a user of another tenant, and another user of the same one."""

    attacker: User
    victims: tuple[User, User]
    ids: dict[str, set[str]]


@pytest.fixture(scope="module")
def scene(database_urls: DatabaseUrls) -> Iterator[Scene]:
    with ExitStack() as stack:
        base = stack.enter_context(application(database_urls.app_url))
        attacker, *victims = (
            User(base, persona, stack.enter_context(Browser())) for persona in (MEMBER, OUTSIDER, ADMIN)
        )
        # Twice each, so that there are several objects of each kind.
        for user in victims * 2:
            user.sign_in()
        ids = _ids(database_urls.admin_url)
        attacker.sign_in()
        yield Scene(attacker, (victims[0], victims[1]), ids)


def _ids(url: str) -> dict[str, set[str]]:
    """Return the ids of the victims and of their rows in the tenant tables, by the names of their columns."""
    found = {"tenant_id": {OUTSIDER.tenant_id}, "user_id": {OUTSIDER.id, ADMIN.id}}
    for table in read_tables(url):
        columns = [column.name for column in table.columns if column.type == "uuid" and table.has_tenant]
        for column in columns:
            (rows,) = execute(url, f'SELECT DISTINCT "{column}"::text AS id FROM "{table.name}"')
            found.setdefault(column, set()).update(row["id"] for row in rows if row["id"] is not None)
    return found


def seen(response: httpx2.Response) -> tuple[int, str, str]:
    """Return a response as production shows it: there, the detail is null, and the request id is random."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


@pytest.mark.parametrize("bearer", [False, True], ids=["cookie", "token"])
@pytest.mark.parametrize("route", [route for route in ROUTES if "{" in route.path], ids=str)
def test_another_users_ids_are_unknown(scene: Scene, route: Route, *, bearer: bool) -> None:
    before = [victim.session_ids() for victim in scene.victims]
    scene.attacker.sign_in()
    values = {value for group in scene.ids.values() for value in group}
    assert len(values) > 8
    for value in sorted(values):
        response = scene.attacker.send(route, route.filled(value), bearer=bearer)
        unknown = scene.attacker.send(route, route.filled(str(uuid4())), bearer=bearer)
        assert seen(response) == seen(unknown)
        assert response.status_code == 404, f"{route} {response.text}"
    assert [victim.session_ids() for victim in scene.victims] == before


@pytest.mark.parametrize("route", [route for route in ROUTES if "{" not in route.path], ids=str)
def test_naming_a_foreign_object_changes_nothing(scene: Scene, route: Route) -> None:
    before = [victim.session_ids() for victim in scene.victims]
    theirs = {OUTSIDER.tenant_id, OUTSIDER.id, OUTSIDER.email, OUTSIDER.name, ADMIN.id, *before[0], *before[1]}
    scene.attacker.sign_in()
    for value in (OUTSIDER.tenant_id, OUTSIDER.id, ADMIN.id, before[0][0], before[1][0]):
        given = dict.fromkeys(NAMES, value)
        for bearer in (False, True):
            headers = {f"x-{name.replace('_', '-')}": value for name in NAMES}
            path = f"{route.path}?{urlencode(given)}"
            response = scene.attacker.send(route, path, bearer=bearer, headers=headers, body=given)
            # The provider's page offers every persona, by name.
            if not route.path.startswith("/idp/"):
                assert [one for one in theirs - {value} if one in response.text] == []
            assert response.status_code < 500
    assert [victim.session_ids() for victim in scene.victims] == before


def test_the_attackers_own_id_is_known(scene: Scene) -> None:
    """The route that hides the sessions of others ends the caller's own."""
    (route,) = (route for route in ROUTES if route == Route("DELETE", f"{SESSIONS}/{{session_id}}"))
    scene.attacker.sign_in()
    own = scene.attacker.session_ids()[-1]
    assert scene.attacker.send(route, route.filled(own), bearer=True).status_code == 204
    assert scene.attacker.send(route, route.filled(own), bearer=True).status_code == 404
