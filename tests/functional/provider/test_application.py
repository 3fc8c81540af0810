"""The provider in the application: limits, environments and logs."""

import httpx2
import pytest

from tests.fixtures.browsers.built_in_provider import (
    parameters,
    tokens_for,
)
from tests.fixtures.providers.built_in import CLIENT_SECRET, VERIFIER
from tests.fixtures.providers.built_in_app import provider_client

pytestmark = pytest.mark.anyio


async def test_a_body_over_64_kib_is_refused(client: httpx2.AsyncClient) -> None:
    for path in ("sign_in", "token", "revoke", "authorize", "userinfo", "end_session"):
        response = await client.post(f"/idp/{path}", data={"form": "x" * 70_000})
        assert (response.status_code, response.json()["error"]["code"]) == (413, "VAL_003"), path


@pytest.mark.parametrize("environment", ["test", "staging", "production"])
async def test_the_provider_exists_only_in_development(variables: dict[str, str], environment: str) -> None:
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
            ("POST", "revoke"),
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
    secrets = (tokens.access_token, tokens.id_token, tokens.redirect["code"], cookie, VERIFIER, CLIENT_SECRET)
    assert [secret for secret in (*secrets, "correct horse battery staple") if secret in logged] == []
