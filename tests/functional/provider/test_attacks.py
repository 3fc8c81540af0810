"""What an attacker sends to the built-in provider, and what comes of it: nothing."""

import asyncio
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from urllib.parse import urlencode

import httpx2
import jwt
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_USER_ID
from tests.fixtures.browsers.built_in_provider import (
    HTML,
    authorize,
    form_of,
    parameters,
    redeem,
    replay_cookie,
    sign_in,
    submit,
    tags_of,
    tokens_for,
)
from tests.fixtures.providers.built_in import AUDIENCE, CHALLENGE, CLIENT_ID, CLIENT_SECRET, VERIFIER, query_of
from tests.fixtures.providers.built_in_app import BASE_URL, SPA_ORIGIN, provider_client

pytestmark = pytest.mark.anyio

REDIRECT_URI = f"{BASE_URL}/api/v1/auth/callback"
MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


async def code_for(client: httpx2.AsyncClient, request: Mapping[str, str] | None = None) -> str:
    return query_of((await sign_in(client, request or parameters())).headers["location"])["code"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_challenge": None, "code_challenge_method": None}, id="missing"),
        pytest.param({"code_challenge": None}, id="method-alone"),
        pytest.param({"code_challenge_method": None}, id="plain-by-default"),
        pytest.param({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, id="plain"),
        pytest.param({"code_challenge_method": "s256"}, id="method-in-other-case"),
        pytest.param({"code_challenge": CHALLENGE[:-1]}, id="too-short"),
        pytest.param({"code_challenge": CHALLENGE + "\n"}, id="line-break"),
        pytest.param({"code_challenge": CHALLENGE[:-1] + "="}, id="padded"),
    ],
)
async def test_no_code_without_an_s256_challenge(client: httpx2.AsyncClient, changes: dict[str, str | None]) -> None:
    await sign_in(client, parameters())  # even for a browser that is signed in
    answer = query_of((await authorize(client, parameters(**changes))).headers["location"])
    assert answer["error"] == "invalid_request"
    assert "code" not in answer


@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        pytest.param(None, "invalid_request", id="missing"),
        pytest.param("w" * 64, "invalid_grant", id="another"),
        pytest.param(CHALLENGE, "invalid_grant", id="the-challenge-itself"),
        pytest.param("v" * 42, "invalid_request", id="too-short"),
        pytest.param(VERIFIER + "\n", "invalid_request", id="line-break"),
        pytest.param("ü" * 64, "invalid_request", id="not-ascii"),
    ],
)
async def test_a_wrong_verifier_gets_nothing_and_ends_the_code(
    client: httpx2.AsyncClient, verifier: str | None, error: str
) -> None:
    code = await code_for(client)
    refused = await redeem(client, code, code_verifier=verifier)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert (await redeem(client, code)).json()["error"] == "invalid_grant"


async def test_of_a_race_for_one_code_one_wins(client: httpx2.AsyncClient) -> None:
    code = await code_for(client)
    answers = await asyncio.gather(*(redeem(client, code) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(f"{SPA_ORIGIN}/cb", id="another-registered-one"),
        pytest.param(f"{REDIRECT_URI}/", id="trailing-slash"),
        pytest.param(f"{REDIRECT_URI}?x=1", id="query-added"),
        pytest.param(None, id="missing"),
    ],
)
async def test_a_code_is_bound_to_its_redirect_uri(client: httpx2.AsyncClient, uri: str | None) -> None:
    response = await redeem(client, await code_for(client), redirect_uri=uri)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_bound_to_its_client(client: httpx2.AsyncClient, variables: dict[str, str]) -> None:
    code = await code_for(client)
    async with provider_client({**variables, "OIDC_CLIENT_ID": "another-client"}) as other:
        response = await redeem(other, code, client_id="another-client")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_another_client_cannot_use_a_code_up(client: httpx2.AsyncClient, variables: dict[str, str]) -> None:
    code = await code_for(client)
    async with provider_client({**variables, "OIDC_CLIENT_ID": "another-client"}) as other:
        await redeem(other, code, client_id="another-client")
    async with provider_client(variables) as again:
        assert (await redeem(again, code)).status_code == 200


async def test_a_code_ends_after_a_minute(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = await tokens_for(client, parameters())
    issued_at = jwt.decode(tokens.id_token, options={"verify_signature": False})["iat"]
    monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: issued_at + 0.0))
    early, late = [await code_for(client, parameters(prompt="login")) for _ in range(2)]

    monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: issued_at + 59.0))
    assert (await redeem(client, early)).status_code == 200
    monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: issued_at + 60.0))
    assert (await redeem(client, late)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("", id="empty"),
        pytest.param("nonsense", id="nonsense"),
        pytest.param(f"org-3d5b1c86-0c57-4b1a-9d0e-5a3f6e2b7c90.{'A' * 43}", id="never-issued"),
        pytest.param(f"'; DROP TABLE sessions; --.{'A' * 43}", id="sql"),
        pytest.param("\x00" * 8, id="nul"),
        pytest.param("A" * 20_000, id="huge"),
    ],
)
async def test_a_code_that_never_was(client: httpx2.AsyncClient, code: str) -> None:
    response = await redeem(client, code)
    assert response.status_code == 400
    assert response.json()["error"] in ("invalid_grant", "invalid_request")


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        pytest.param({"client_secret": "wrong"}, {}, id="wrong-secret"),
        pytest.param({"client_secret": None}, {}, id="no-secret"),
        pytest.param({"client_id": "nobody"}, {}, id="unknown-client"),
        pytest.param({"client_secret": None}, {"authorization": "Basic !!!"}, id="basic-not-base64"),
        pytest.param({"client_secret": None}, {"authorization": "Basic /////w=="}, id="basic-not-utf8"),
        pytest.param({"client_secret": None}, {"authorization": "Basic bm9jb2xvbg=="}, id="basic-without-colon"),
        pytest.param({"client_secret": None}, {"authorization": "Bearer x"}, id="another-scheme"),
    ],
)
async def test_the_client_must_authenticate(
    client: httpx2.AsyncClient, changes: dict[str, str | None], headers: dict[str, str]
) -> None:
    code = await code_for(client)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **changes}
    form |= {name: value for name, value in given.items() if value is not None}
    refused = await client.post("/idp/token", data=form, headers=headers)

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"] == 'Basic realm="tenantgate"'
    # Nobody but its client can use a code up.
    assert (await redeem(client, code)).status_code == 200


async def test_two_ways_to_authenticate_are_refused(client: httpx2.AsyncClient) -> None:
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    refused = await client.post("/idp/token", data=form, auth=httpx2.BasicAuth(CLIENT_ID, CLIENT_SECRET))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        pytest.param({}, "invalid_request", id="no-grant-type"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="password"),
        pytest.param({"grant_type": "client_credentials"}, "unsupported_grant_type", id="client-credentials"),
        pytest.param({"grant_type": MARKUP}, "unsupported_grant_type", id="markup"),
        pytest.param({"grant_type": "authorization_code"}, "invalid_request", id="no-code"),
    ],
)
async def test_grants_that_are_not_offered(client: httpx2.AsyncClient, form: dict[str, str], error: str) -> None:
    response = await client.post("/idp/token", data={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form})
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert "<script" not in response.text


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(b'{"grant_type":"authorization_code"}', "application/json", id="json"),
        pytest.param(b"grant_type=authorization_code", "", id="no-type"),
        pytest.param(b"a=%ff%fe", "application/x-www-form-urlencoded", id="not-utf8"),
        pytest.param("ä=1".encode(), "application/x-www-form-urlencoded", id="not-ascii"),
        pytest.param(b"&".join(b"a%d=1" % n for n in range(60)), "application/x-www-form-urlencoded", id="60-fields"),
        pytest.param(b"code=a&code=b", "application/x-www-form-urlencoded", id="repeated"),
    ],
)
async def test_a_token_request_of_another_form(client: httpx2.AsyncClient, content: bytes, content_type: str) -> None:
    response = await client.post("/idp/token", content=content, headers={"content-type": content_type})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_a_sign_in_form_of_another_type_is_refused(client: httpx2.AsyncClient) -> None:
    response = await client.post("/idp/sign_in", json={"form": "x"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "VAL_004")


async def test_a_body_over_64_kib_is_refused(client: httpx2.AsyncClient) -> None:
    for path in ("sign_in", "token", "authorize", "userinfo", "end_session"):
        response = await client.post(f"/idp/{path}", data={"form": "x" * 70_000})
        assert (response.status_code, response.json()["error"]["code"]) == (413, "VAL_003"), path


class TestSignInForm:
    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param(lambda token: "", id="missing"),
            pytest.param(lambda token: token[:-2], id="truncated"),
            pytest.param(lambda token: token[:40] + ("A" if token[40] != "A" else "B") + token[41:], id="changed"),
            pytest.param(lambda token: "A" * len(token), id="invented"),
            pytest.param(lambda token: "ü" + token, id="not-ascii"),
        ],
    )
    async def test_a_tampered_form_is_refused(self, client: httpx2.AsyncClient, changed: Callable[[str], str]) -> None:
        form = form_of((await authorize(client, parameters())).text)
        form.fields["form"] = changed(form.fields["form"])
        page = await submit(client, form)
        assert page.status_code == 400
        assert "AUTH_041" in page.text
        assert "set-cookie" not in page.headers

    async def test_the_request_cannot_be_changed_beside_the_form(self, client: httpx2.AsyncClient) -> None:
        form = form_of((await authorize(client, parameters())).text)
        form.fields |= {"redirect_uri": "https://evil.test/", "state": "other", "code_challenge": "x" * 43}
        answer = await submit(client, form)
        assert answer.headers["location"].startswith(f"{REDIRECT_URI}?")
        assert query_of(answer.headers["location"])["state"] == "the-state"

    async def test_a_form_of_ten_minutes_ago_is_refused(
        self, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: 1_900_000_000.0))
        form = form_of((await authorize(client, parameters())).text)
        monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: 1_900_000_600.0))
        assert "AUTH_041" in (await submit(client, form)).text

    async def test_the_sign_out_form_is_no_sign_in_form(self, client: httpx2.AsyncClient) -> None:
        await sign_in(client, parameters())
        sign_out = form_of((await client.get("/idp/end_session", headers=HTML)).text)
        form = form_of((await authorize(client, parameters(prompt="login"))).text)
        form.fields["form"] = sign_out.fields["form"]
        assert "AUTH_041" in (await submit(client, form)).text

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({"sec-fetch-site": "cross-site", "origin": "https://evil.test"}, id="cross-site"),
            pytest.param({"sec-fetch-site": "same-site", "origin": "https://sibling.example.test"}, id="sibling"),
            pytest.param({"sec-fetch-site": "none"}, id="typed-in"),
            pytest.param({"origin": "https://evil.test"}, id="older-browser"),
            pytest.param({"origin": SPA_ORIGIN}, id="an-allowed-origin-that-is-not-us"),
            pytest.param({"origin": "null"}, id="sandboxed"),
        ],
    )
    async def test_a_form_sent_by_another_site_is_refused(
        self, client: httpx2.AsyncClient, headers: dict[str, str]
    ) -> None:
        form = form_of((await authorize(client, parameters())).text)
        fields = {**form.fields, "username": "demo@example.test", "password": "correct horse battery staple"}
        page = await client.post(form.action, data=fields, headers={**HTML, **headers})
        assert (page.status_code, "set-cookie" in page.headers) == (403, False)

    @pytest.mark.parametrize(
        ("username", "password"),
        [
            pytest.param("demo@example.test", "wrong", id="wrong-password"),
            pytest.param("demo@example.test", "", id="no-password"),
            pytest.param("nobody@example.test", "correct horse battery staple", id="unknown-user"),
            pytest.param("demo@example.test", "correct horse battery staple ", id="trailing-space"),
            pytest.param("demo@example.test", "Correct horse battery staple", id="other-case"),
        ],
    )
    async def test_a_wrong_password_and_an_unknown_user_look_alike(
        self, client: httpx2.AsyncClient, username: str, password: str
    ) -> None:
        form = form_of((await authorize(client, parameters())).text)
        page = await submit(client, form, username=username, password=password)
        assert page.status_code == 400
        assert "The email or the password is wrong." in page.text
        assert "set-cookie" not in page.headers
        # And the form that came back still works.
        assert (await submit(client, form_of(page.text))).status_code == 303

    async def test_signing_in_replaces_the_session_that_the_browser_brought(self, client: httpx2.AsyncClient) -> None:
        await sign_in(client, parameters())
        planted = client.cookies["__Host-tg_idp"]
        await sign_in(client, parameters(prompt="login"))
        assert client.cookies["__Host-tg_idp"] != planted

        replay_cookie(client, planted)
        answer = await authorize(client, parameters(prompt="none"))
        assert query_of(answer.headers["location"])["error"] == "login_required"

    async def test_nobody_can_frame_the_page(self, client: httpx2.AsyncClient) -> None:
        page = await authorize(client, parameters())
        assert page.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("cookie", ["", "nonsense", "a.b", f"org-1.{'A' * 43}", "x" * 3000, "'; --"])
async def test_a_made_up_browser_cookie_signs_nobody_in(client: httpx2.AsyncClient, cookie: str) -> None:
    replay_cookie(client, cookie)
    answer = await authorize(client, parameters(prompt="none"))
    assert query_of(answer.headers["location"])["error"] == "login_required"


REFLECTED = [
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
    "prompt", "max_age", "login_hint", "id_token_hint", "response_mode", "resource", "display", "ui_locales", "request",
    "unknown",
]  # fmt: skip


@pytest.mark.parametrize("name", REFLECTED)
async def test_markup_in_a_parameter_stays_text(client: httpx2.AsyncClient, name: str) -> None:
    answer = await authorize(client, parameters(**{name: MARKUP}))

    assert answer.status_code in (200, 303, 400)
    assert MARKUP not in answer.text
    assert "<script>alert" not in answer.text
    assert "img" not in tags_of(answer.text)
    assert tags_of(answer.text).count("script") == 0
    if answer.status_code == 303:
        assert not set("<>\"'") & set(answer.headers["location"])


async def test_markup_in_the_sign_out_request_stays_text(client: httpx2.AsyncClient) -> None:
    for name in ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint"):
        page = await client.get("/idp/end_session", params={name: MARKUP, "client_id": CLIENT_ID}, headers=HTML)
        assert "<script>alert" not in page.text
        assert "img" not in tags_of(page.text)


async def test_markup_in_the_form_stays_text(client: httpx2.AsyncClient) -> None:
    form = form_of((await authorize(client, parameters())).text)
    page = await submit(client, form, username=MARKUP)
    assert "img" not in tags_of(page.text)
    assert form_of(page.text).fields["username"] == MARKUP


@pytest.mark.parametrize(
    "name", ["state", "nonce", "scope", "code_challenge", "login_hint", "id_token_hint", "unknown"]
)
async def test_an_oversized_parameter_is_refused_by_redirect(client: httpx2.AsyncClient, name: str) -> None:
    answer = await authorize(client, parameters(**{name: "x" * 2049}))
    query = query_of(answer.headers["location"])
    assert query["error"] == "invalid_request"
    assert len(answer.headers["location"]) < 4096


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
    answer = await client.get(f"/idp/authorize?{query}", headers=HTML)
    if trusted:
        assert query_of(answer.headers["location"])["error"] == "invalid_request"
    else:
        assert (answer.status_code, "AUTH_040" in answer.text) == (400, True)


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
    answer = query_of((await authorize(client, parameters(**changes))).headers["location"])
    assert answer["error"] == error
    assert answer["state"] == "the-state"
    assert answer["iss"] == f"{BASE_URL}/idp"


class TestUserinfo:
    async def refusal(self, client: httpx2.AsyncClient, authorization: str) -> tuple[int, str]:
        response = await client.get("/idp/userinfo", headers={"authorization": authorization})
        return response.status_code, response.headers["www-authenticate"]

    async def test_without_a_token_no_error_is_named(self, client: httpx2.AsyncClient) -> None:
        response = await client.get("/idp/userinfo")
        assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Bearer realm="tenantgate"')

    async def test_an_id_token_is_no_access_token(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        status, challenge = await self.refusal(client, f"Bearer {tokens.id_token}")
        assert (status, 'error="invalid_token"' in challenge) == (401, True)

    async def test_the_scope_openid_is_needed(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters(scope="profile"))
        assert tokens.id_token == ""
        status, challenge = await self.refusal(client, f"Bearer {tokens.access_token}")
        assert (status, 'error="insufficient_scope"' in challenge) == (403, True)

    async def test_an_expired_token_is_refused(
        self, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = await tokens_for(client, parameters())
        later = jwt.decode(tokens.access_token, options={"verify_signature": False})["exp"] + 1.0
        monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: later))
        assert (await self.refusal(client, f"Bearer {tokens.access_token}"))[0] == 401

    async def test_a_token_signed_with_the_public_key_is_refused(self, client: httpx2.AsyncClient) -> None:
        key = (await client.get("/idp/jwks")).json()["keys"][0]
        claims = {"iss": f"{BASE_URL}/idp", "aud": AUDIENCE, "sub": DEMO_USER_ID, "scope": "openid", "exp": 2**33}
        forged = jwt.encode(claims, key["n" if "n" in key else "x"] * 2, "HS256", {"kid": key["kid"], "typ": "at+jwt"})
        assert (await self.refusal(client, f"Bearer {forged}"))[0] == 401

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 20_000, "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30."])
    async def test_nonsense_is_refused(self, client: httpx2.AsyncClient, token: str) -> None:
        assert (await self.refusal(client, f"Bearer {token}"))[0] == 401


@pytest.mark.parametrize("environment", ["test", "staging", "production"])
async def test_outside_development_there_is_nothing_here(variables: dict[str, str], environment: str) -> None:
    changed = {**variables, "ENVIRONMENT": environment, "OIDC_ISSUER_URL": "https://op.example.test"}
    async with provider_client(changed) as client:
        unknown = await client.get("/idp/nothing")
        for method, path in [
            ("GET", ".well-known/openid-configuration"),
            ("GET", "jwks"),
            ("GET", "authorize"),
            ("POST", "authorize"),
            ("POST", "sign_in"),
            ("POST", "token"),
            ("GET", "userinfo"),
            ("GET", "end_session"),
            ("POST", "sign_out"),
        ]:
            response = await client.request(method, f"/idp/{path}")
            assert response.status_code == 404
            assert response.json()["error"] == {
                **unknown.json()["error"],
                "request_id": response.headers["x-request-id"],
            }, path


async def test_no_token_code_or_password_is_logged(
    variables: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with provider_client({**variables, "LOG_LEVEL": "DEBUG"}) as client:
        tokens = await tokens_for(client, parameters())
        cookie = client.cookies["__Host-tg_idp"]
    logged = capsys.readouterr().out
    assert "request started" in logged
    secrets = (tokens.access_token, tokens.id_token, tokens.answer["code"], cookie, VERIFIER, CLIENT_SECRET)
    assert [secret for secret in (*secrets, "correct horse battery staple") if secret in logged] == []
