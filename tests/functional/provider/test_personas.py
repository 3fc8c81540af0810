"""The personas' buttons on the sign-in page, on a real PostgreSQL: a local stack has them, a deployed one refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx2
import jwt
import pytest

from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.personas import Persona
from tests.fixtures.browsers.built_in_provider import HTML, Form, authorize, form_of, parameters, replay_cookie
from tests.fixtures.providers.built_in import query_of, token_request
from tests.fixtures.providers.built_in_app import SPA_ORIGIN, SetTime, provider_client

pytestmark = pytest.mark.anyio

# https, so that the client's cookie jar keeps `Secure` cookies.
LOCAL_URL = "https://localhost:3000"
CALLBACK = f"{LOCAL_URL}/api/v1/auth/callback"
ADMIN, MEMBER, OUTSIDER = PERSONAS


@pytest.fixture
async def local(variables: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser at a stack on this machine."""
    changed = {"PUBLIC_BASE_URL": LOCAL_URL, "ALLOWED_ORIGINS": f"{LOCAL_URL},{SPA_ORIGIN}"}
    async with provider_client({**variables, **changed}) as client:
        yield client


class _Buttons(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str | None, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "button":
            given = dict(attrs)
            self.found.append((given.get("name"), given.get("value")))


def buttons_of(html: str) -> list[tuple[str | None, str | None]]:
    parser = _Buttons()
    parser.feed(html)
    return parser.found


async def press(client: httpx2.AsyncClient, form: Form, persona_id: str, **headers: str) -> httpx2.Response:
    """Press a persona's button as a browser does: it sends the empty fields, too."""
    sent = {"sec-fetch-site": "same-origin", "origin": str(client.base_url).rstrip("/"), **headers}
    fields = {**form.fields, "username": "", "password": "", "persona": persona_id}
    return await client.post(form.action, data=fields, headers={**HTML, **sent})


async def shown_form(client: httpx2.AsyncClient, **changes: str | None) -> Form:
    return form_of((await authorize(client, parameters(redirect_uri=CALLBACK, **changes))).text)


async def test_the_page_has_a_button_for_each_persona_after_the_password_form(local: httpx2.AsyncClient) -> None:
    page = await authorize(local, parameters(redirect_uri=CALLBACK))
    # The Enter key presses the first button of a form.
    assert buttons_of(page.text) == [(None, None), *(("persona", persona.id) for persona in PERSONAS)]


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.email)
async def test_a_button_signs_its_persona_in(local: httpx2.AsyncClient, persona: Persona) -> None:
    response = await press(
        local, await shown_form(local, scope="openid orders:write orders:read audit:read"), persona.id
    )
    assert response.status_code == 303
    code = query_of(response.headers["location"])["code"]
    tokens = await local.post("/idp/token", data=dict(token_request(code, redirect_uri=CALLBACK).values))
    claims = jwt.decode(tokens.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["tenant_id"], claims["roles"], claims["scope"]) == (
        persona.id,
        persona.tenant_id,
        list(persona.roles),
        " ".join(["openid", *persona.scopes]),
    )
    userinfo = await local.get("/idp/userinfo", headers={"authorization": f"Bearer {tokens.json()['access_token']}"})
    assert userinfo.json() == {"sub": persona.id}


async def test_the_discovery_document_announces_the_scopes_of_the_personas(local: httpx2.AsyncClient) -> None:
    metadata = (await local.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["scopes_supported"] == [
        *("openid", "profile", "email", "address", "phone", "offline_access"),
        *("audit:read", "orders:read", "orders:write"),
    ]


async def test_a_deployed_stack_shows_no_button_and_refuses_a_forged_one(client: httpx2.AsyncClient) -> None:
    page = await authorize(client, parameters())
    assert buttons_of(page.text) == [(None, None)]
    for persona in PERSONAS:
        assert persona.name not in page.text
        forged = await press(client, form_of(page.text), persona.id)
        assert (forged.status_code, "AUTH_041" in forged.text) == (400, True)
        assert "set-cookie" not in forged.headers


@pytest.mark.parametrize("environment", ["test", "staging", "production"])
async def test_a_forged_button_finds_nothing_outside_development(variables: dict[str, str], environment: str) -> None:
    changes = {"ENVIRONMENT": environment, "OIDC_ISSUER_URL": "https://op.example.test"}
    async with provider_client({**variables, **changes}) as client:
        forged = await press(client, Form("/idp/sign_in", {"form": "x"}), ADMIN.id)
    assert (forged.status_code, "set-cookie" in forged.headers) == (404, False)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site", "origin": "https://evil.test"}, id="cross-site"),
        pytest.param({"sec-fetch-site": "same-site", "origin": "http://localhost:5173"}, id="another-port"),
        pytest.param({"sec-fetch-site": "none"}, id="typed-in"),
    ],
)
async def test_a_button_of_another_sites_page_is_refused(local: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    response = await press(local, await shown_form(local), ADMIN.id, **headers)
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)


async def test_a_button_without_its_form_or_with_an_old_one_is_refused(
    local: httpx2.AsyncClient, set_time: SetTime
) -> None:
    set_time(1_900_000_000.0)
    form = await shown_form(local)
    for forged in ("", form.fields["form"][:-2], "A" * 100):
        response = await press(local, Form(form.action, {"form": forged}), ADMIN.id)
        assert (response.status_code, "AUTH_041" in response.text) == (400, True)
    set_time(1_900_000_600.0)
    assert "AUTH_041" in (await press(local, form, ADMIN.id)).text


@pytest.mark.parametrize("persona_id", ["unknown", "x" * 5_000, "<script>alert(1)</script>", "'; DROP TABLE x; --"])
async def test_an_unknown_persona_is_refused(local: httpx2.AsyncClient, persona_id: str) -> None:
    response = await press(local, await shown_form(local), persona_id)
    assert (response.status_code, "AUTH_041" in response.text) == (400, True)
    assert persona_id not in response.text
    assert "set-cookie" not in response.headers


async def test_a_button_ends_the_session_that_the_browser_had(local: httpx2.AsyncClient) -> None:
    await press(local, await shown_form(local), ADMIN.id)
    planted = local.cookies["__Host-tg_idp"]
    await press(local, await shown_form(local, prompt="login"), OUTSIDER.id)
    assert local.cookies["__Host-tg_idp"] != planted

    replay_cookie(local, planted)
    response = await authorize(local, parameters(redirect_uri=CALLBACK, prompt="none"))
    assert query_of(response.headers["location"])["error"] == "login_required"


async def test_a_user_without_a_requested_scope_is_sent_back_with_the_error(local: httpx2.AsyncClient) -> None:
    response = await press(local, await shown_form(local, scope="orders:write"), MEMBER.id)
    given = query_of(response.headers["location"])
    assert (given["error"], given["state"], "code" in given) == ("invalid_scope", "the-state", False)
