"""Authorization requests that an attacker or a faulty client sends."""

from urllib.parse import urlencode

import httpx2
import pytest

from tests.fixtures.browsers.built_in_provider import (
    HTML,
    authorize,
    parameters,
    replay_cookie,
    sign_in,
)
from tests.fixtures.providers.built_in import CHALLENGE, VERIFIER, query_of
from tests.fixtures.providers.built_in_app import BASE_URL

pytestmark = pytest.mark.anyio

REDIRECT_URI = f"{BASE_URL}/api/v1/auth/callback"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_challenge": None, "code_challenge_method": None}, id="missing"),
        pytest.param({"code_challenge": None}, id="only-the-method"),
        pytest.param({"code_challenge_method": None}, id="plain-by-default"),
        pytest.param({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, id="plain"),
        pytest.param({"code_challenge_method": "s256"}, id="method-in-other-case"),
        pytest.param({"code_challenge": CHALLENGE[:-1]}, id="too-short"),
        pytest.param({"code_challenge": CHALLENGE + "\n"}, id="line-break"),
        pytest.param({"code_challenge": CHALLENGE[:-1] + "="}, id="padded"),
    ],
)
async def test_a_code_needs_an_s256_challenge(client: httpx2.AsyncClient, changes: dict[str, str | None]) -> None:
    await sign_in(client, parameters())  # not even for a browser that is signed in
    response = query_of((await authorize(client, parameters(**changes))).headers["location"])
    assert response["error"] == "invalid_request"
    assert "code" not in response


@pytest.mark.parametrize("cookie", ["", "malformed", "a.b", f"org-1.{'A' * 43}", "x" * 3000, "'; --"])
async def test_an_invented_browser_cookie_is_ignored(client: httpx2.AsyncClient, cookie: str) -> None:
    replay_cookie(client, cookie)
    response = await authorize(client, parameters(prompt="none"))
    assert query_of(response.headers["location"])["error"] == "login_required"


@pytest.mark.parametrize(
    "name", ["state", "nonce", "scope", "code_challenge", "login_hint", "id_token_hint", "unknown"]
)
async def test_an_oversized_parameter_is_refused_by_redirect(client: httpx2.AsyncClient, name: str) -> None:
    response = await authorize(client, parameters(**{name: "x" * 2049}))
    query = query_of(response.headers["location"])
    assert query["error"] == "invalid_request"
    assert len(response.headers["location"]) < 4096


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_an_oversized_client_or_redirect_uri_gets_the_error_page(client: httpx2.AsyncClient, name: str) -> None:
    page = await authorize(client, parameters(**{name: f"{REDIRECT_URI}?{'x' * 5000}"}))
    assert (page.status_code, "location" in page.headers) == (400, False)
    assert len(page.text) < 20_000


@pytest.mark.parametrize(
    ("name", "trusted"),
    [("client_id", False), ("redirect_uri", False), ("state", True), ("nonce", True), ("code_challenge", True)],
)
async def test_a_parameter_given_twice_is_refused(client: httpx2.AsyncClient, name: str, trusted: bool) -> None:
    query = urlencode([*parameters().items(), (name, "another")])
    response = await client.get(f"/idp/authorize?{query}", headers=HTML)
    if trusted:
        assert query_of(response.headers["location"])["error"] == "invalid_request"
    else:
        assert (response.status_code, "AUTH_040" in response.text) == (400, True)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": "code id_token"}, "unsupported_response_type", id="hybrid"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="fragment"),
        pytest.param({"response_mode": "form_post"}, "invalid_request", id="form-post"),
        pytest.param({"scope": None}, "invalid_scope", id="no-scope"),
        pytest.param({"scope": "admin"}, "invalid_scope", id="unknown-scope"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="none-with-another"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="negative-max-age"),
        pytest.param({"max_age": "٣"}, "invalid_request", id="max-age-in-other-digits"),
        pytest.param({"resource": "https://elsewhere.test"}, "invalid_target", id="foreign-resource"),
    ],
)
async def test_requests_that_are_refused_by_redirect(
    client: httpx2.AsyncClient, changes: dict[str, str | None], error: str
) -> None:
    response = query_of((await authorize(client, parameters(**changes))).headers["location"])
    assert response["error"] == error
    assert response["state"] == "the-state"
    assert response["iss"] == f"{BASE_URL}/idp"
