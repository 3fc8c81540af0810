"""The container checks the route rules for every request, with the authorizer's engine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from container.app import SHIPPED_RULES, container_app, container_rules
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.file import read_rules
from tenantgate.route_rules.model import CONTAINER_API, OTHER_APIS, RouteRule
from tenantgate.sessions.credential import session_credential
from tenantgate.settings.errors import SettingsError
from tenantgate.web.app import create_app
from tenantgate.web.dependencies import CurrentPrincipal
from tests.fixtures.web.sessions import WebSessions, change_by, cookie_of, web_sessions
from tests.fixtures.web.setup import ISSUER, TENANT, Issuer, make_settings

__all__ = ["web_sessions"]

router = APIRouter()


@router.get("/open")
async def open_() -> str:
    return "open"


@router.get("/notes")
@router.post("/notes")
@router.get("/notes/secret")
@router.get("/notes/{note}")
@router.get("/forgotten")
async def guarded() -> str:
    return "guarded"


@router.get("/who")
async def who(principal: CurrentPrincipal) -> str:
    return principal.user_id


RULES = ApiRules(
    "container",
    [
        RouteRule("GET", "/open", public=True),
        RouteRule("GET", "/notes"),
        RouteRule("POST", "/notes", scopes=frozenset({"write"})),
        RouteRule("GET", "/notes/{note}", any_scope=frozenset({"read", "all"})),
        RouteRule("GET", "/notes/secret", roles=frozenset({"keeper"}), acr=frozenset({"mfa"}), max_auth_age=300),
        RouteRule("GET", "/who"),
    ],
)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.in_folder(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="module")
def client(issuer: Issuer) -> TestClient:
    app = create_app(router, settings=issuer.settings(), route_rules=RULES)
    return TestClient(app, base_url="https://gate.example.test", raise_server_exceptions=False)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("method", "path", "claims", "status", "code"),
    [
        pytest.param("GET", "/open", None, 200, None, id="public"),
        pytest.param("GET", "/notes", {}, 200, None, id="any-principal"),
        pytest.param("GET", "/notes", None, 401, "AUTH_007", id="no-credential"),
        pytest.param("GET", "/notes", {"exp": 1_700_000_600, "iat": 1_700_000_000}, 401, "AUTH_003", id="expired"),
        pytest.param("GET", "/notes", {"tenant_id": None}, 403, "AUTH_005", id="no-tenant"),
        pytest.param("POST", "/notes", {"scope": "write"}, 200, None, id="scope"),
        pytest.param("POST", "/notes", {"scope": "read"}, 403, "AUTH_010", id="wrong-scope"),
        pytest.param("GET", "/notes/1", {"scope": "all"}, 200, None, id="one-of-two-scopes"),
        pytest.param("GET", "/notes/secret", {"scope": "all"}, 403, "AUTH_010", id="literal-before-parameter"),
        pytest.param("GET", "/notes/%73ecret", {"scope": "all"}, 403, "AUTH_010", id="percent-encoded-literal"),
        pytest.param("GET", "/forgotten", {"scope": "write read"}, 403, "AUTH_010", id="no-rule"),
        pytest.param("GET", "/forgotten", None, 401, "AUTH_007", id="no-rule-no-credential"),
        pytest.param("GET", "/notes%0A", None, 400, "VAL_007", id="what-only-the-router-takes-for-the-path"),
        pytest.param("GET", "/nothing", None, 404, "VAL_005", id="no-route"),
        pytest.param("GET", "/notes/", None, 404, "VAL_005", id="trailing-slash"),
        pytest.param("DELETE", "/notes", None, 405, "VAL_006", id="no-method"),
        pytest.param("HEAD", "/notes", None, 405, None, id="head"),
    ],
)
def test_a_request_is_checked_against_its_rule(
    client: TestClient, issuer: Issuer, *, method: str, path: str, claims: dict[str, object] | None, status: int,
    code: str | None,
) -> None:  # fmt: skip
    response = client.request(method, path, headers={} if claims is None else bearer(issuer.token(**claims)))

    assert response.status_code == status, response.text
    if code is not None:
        assert response.json()["error"]["code"] == code


def test_a_missing_scope_gets_a_challenge_that_names_it(client: TestClient, issuer: Issuer) -> None:
    response = client.post("/notes", headers=bearer(issuer.token(scope="read")))

    assert response.headers["www-authenticate"] == (
        'Bearer realm="tenantgate", error="insufficient_scope", '
        'error_description="The credential doesn\'t allow this", scope="write"'
    )


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"acr": "pwd", "auth_time": time.time()}, id="weak"),
        pytest.param({"acr": "mfa", "auth_time": time.time() - 3600}, id="old"),
        pytest.param({"acr": "mfa"}, id="unknown-age"),
    ],
)
def test_a_weak_sign_in_gets_a_step_up_challenge(client: TestClient, issuer: Issuer, claims: dict[str, object]) -> None:
    # RFC 9470 §3: a 401 that names what a new sign-in must achieve.
    response = client.get("/notes/secret", headers=bearer(issuer.token(roles=["keeper"], **claims)))

    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_011")
    assert response.headers["www-authenticate"] == (
        'Bearer realm="tenantgate", error="insufficient_user_authentication", '
        'error_description="A stronger or more recent sign-in is required", acr_values="mfa", max_age="300"'
    )


def test_a_stepped_up_sign_in_passes(client: TestClient, issuer: Issuer) -> None:
    token = issuer.token(roles=["keeper"], acr="mfa", auth_time=int(time.time()) - 10)

    assert client.get("/notes/secret", headers=bearer(token)).status_code == 200


def test_the_route_gets_the_principal_of_the_rules(client: TestClient, issuer: Issuer) -> None:
    assert client.get("/who", headers=bearer(issuer.token(sub="somebody"))).json() == "somebody"


@pytest.mark.anyio
async def test_a_session_is_checked_against_the_rules_too(issuer: Issuer, web_sessions: WebSessions) -> None:
    app = create_app(router, settings=issuer.settings(), route_rules=RULES, session=session_credential)
    client = TestClient(app, base_url="https://gate.example.test")
    started = await web_sessions.start()

    assert client.get("/who", headers=cookie_of(started)).json() == "user-1"
    assert client.get("/forgotten", headers=cookie_of(started)).status_code == 403
    assert client.post("/notes", headers=change_by(started)).status_code == 200
    # As the authorizer does, also where no route asks for the caller.
    for lacking in ("origin", "x-csrf-token"):
        headers = {name: value for name, value in change_by(started).items() if name != lacking}
        response = client.post("/notes", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "AUTH_021")
    await web_sessions.service.end(started.secret)
    ended = client.get("/who", headers=cookie_of(started))
    assert (ended.status_code, ended.json()["error"]["code"]) == (401, "AUTH_020")


@pytest.mark.anyio
async def test_without_sessions_a_cookie_proves_nothing(client: TestClient, web_sessions: WebSessions) -> None:
    response = client.get("/notes", headers=cookie_of(await web_sessions.start()))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_007")


@pytest.mark.parametrize("pattern", ["/{place}/keys", "/{place}/{rest:path}"])
def test_the_route_that_the_router_chose_must_be_allowed_as_well(issuer: Issuer, pattern: str) -> None:
    """The more specific rule of the path is for another pattern than that of the route that runs."""
    routes = APIRouter()
    routes.get(pattern)(open_)
    stricter = RouteRule("GET", pattern.replace(":path}", "+}"), scopes=frozenset({"admin"}))
    rules = ApiRules("container", [RouteRule("GET", "/notes/{note}"), RouteRule("GET", "/{all+}"), stricter])
    client = TestClient(
        create_app(routes, settings=issuer.settings(), route_rules=rules), base_url="https://gate.example.test"
    )

    # A rule for a part of the route's pattern decides for that part.
    is_part = pattern.endswith(":path}")
    assert client.get("/notes/keys", headers=bearer(issuer.token())).status_code == (200 if is_part else 403)
    assert client.get("/others/keys", headers=bearer(issuer.token())).status_code == 403
    assert client.get("/notes/keys", headers=bearer(issuer.token(scope="admin"))).status_code == 200


def test_preflights_need_no_credential(client: TestClient) -> None:
    asked = {"origin": "https://app.example.test", "access-control-request-method": "GET"}

    assert client.options("/notes", headers=asked).status_code == 204


SCOPES = ("read", "write", "all")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            lambda method, path, scope: RouteRule(method, path, any_scope=frozenset({scope} if scope else ())),
            st.sampled_from(["GET", "POST", "ANY"]),
            st.sampled_from(["/notes", "/notes/{note}", "/notes/secret", "/{all+}", "/notes/{rest+}", "/{any}"]),
            st.sampled_from([None, *SCOPES]),
        ),
        max_size=5,
        unique_by=lambda rule: (rule.method, rule.pattern),
    ),
    st.sets(st.sampled_from(SCOPES)),
    st.sampled_from([("GET", "/notes"), ("POST", "/notes"), ("GET", "/notes/1"), ("GET", "/notes/secret")]),
)
def test_the_container_decides_as_the_authorizers_engine(
    issuer: Issuer, rules: list[RouteRule], scopes: set[str], route: tuple[str, str]
) -> None:
    api = ApiRules("container", rules)
    app = create_app(router, settings=issuer.settings(LOG_LEVEL="ERROR"), route_rules=api)
    client = TestClient(app, base_url="https://gate.example.test")
    principal = Principal("user-1", TENANT, ISSUER, frozenset(scopes), int(time.time()) + 60)

    response = client.request(*route, headers=bearer(issuer.token(scope=" ".join(scopes))))

    assert (response.status_code == 200) == api.decide(*route, principal, now=time.time()).allowed


class TestTheProductsRules:
    rules = read_rules(str(SHIPPED_RULES))

    def test_behind_the_authorizer_the_rules_are_the_same_and_nothing_is_public(self) -> None:
        guarded = [rule for rule in self.rules.for_api(CONTAINER_API).rules if not rule.public]

        assert list(self.rules.for_api(OTHER_APIS).rules) == guarded

    def test_the_container_starts_with_them_and_checks_requests(self, issuer: Issuer) -> None:
        app = container_app(issuer.settings(DATABASE_URL="postgresql://u:p@127.0.0.1:1/n"))
        client = TestClient(app, base_url="https://gate.example.test")

        assert client.get("/api/v1/health/live").status_code == 200
        assert client.get("/api/v1/auth/me").json()["error"]["code"] == "AUTH_007"
        assert client.get("/api/v1/auth/me", headers=bearer(issuer.token())).status_code == 200
        assert client.get("/api/v1/auth/validate").json()["error"]["code"] == "AUTH_007"
        assert client.get("/api/v1/nothing").status_code == 404


RULES_TEXT = """\
version = 1
[[api]]
name = "mine"
ids = ["{id}"]
[[api.route]]
route = "GET /mine"
"""


class TestRouteRulesFile:
    def test_its_block_for_the_container_replaces_the_products_rules(self, tmp_path: Path) -> None:
        file = tmp_path / "rules.toml"
        file.write_text(RULES_TEXT.replace("{id}", "container"))

        assert container_rules(make_settings(ROUTE_RULES_FILE=str(file))).name == "mine"

    @pytest.mark.parametrize("api_id", ["*", "a1b2c3d4e5"])
    def test_without_such_a_block_the_products_rules_apply(self, tmp_path: Path, api_id: str) -> None:
        file = tmp_path / "rules.toml"
        file.write_text(RULES_TEXT.replace("{id}", api_id))

        assert container_rules(make_settings(ROUTE_RULES_FILE=str(file))).name == "tenantgate-container"

    def test_an_invalid_file_stops_the_start_with_the_place_of_the_error(self, tmp_path: Path) -> None:
        file = tmp_path / "rules.toml"
        file.write_text(RULES_TEXT.replace("GET", "GOT").replace("{id}", "*"))

        with pytest.raises(SettingsError, match=r"ROUTE_RULES_FILE is (?s:.)*rules\.toml:6: "):
            container_rules(make_settings(ROUTE_RULES_FILE=str(file)))

    def test_a_missing_file_stops_the_start(self) -> None:
        with pytest.raises(SettingsError, match=r"ROUTE_RULES_FILE is '/nowhere'(?s:.)*can't be read"):
            container_rules(make_settings(ROUTE_RULES_FILE="/nowhere"))
