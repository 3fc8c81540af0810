"""API Gateway's own JWT authorizers, with a real issuer: from the request to the function's event."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from lambda_gateway.asgi import Receive, Scope, Send
from tests.fixtures.gateway.jwt_apis import plain_http, plain_rest, sam_http
from tests.fixtures.tokens.issuer import AUDIENCE, b64, good_claims, public_jwks, sign, sign_raw
from tests.functional.gateway.conftest import Serve, listening

pytestmark = pytest.mark.anyio

EVENT = """\
import json

def lambda_handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer"))}
"""
FORMS = {"sam": sam_http, "http": plain_http, "rest": plain_rest}


class Issuer:
    """An issuer over HTTP. `keys` is the published key set, None for an issuer that fails."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, object] | None = public_jwks("rsa-1")
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        path = scope["path"]
        self.asked.append(path)
        documents: dict[str, object] = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": self.keys,
        }
        status = 200 if documents.get(path) else 503
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(documents.get(path)).encode()})

    def token(self, kid: str = "rsa-1", **changes: object) -> str:
        return sign(good_claims(int(time.time()), iss=self.url, **changes), kid=kid)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    found = Issuer()
    async with listening(found) as url:
        found.url = url
        yield found


async def ask(client: httpx2.AsyncClient, form: str, request: str, token: str | None = None) -> httpx2.Response:
    method, path = request.split()
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await client.request(method, f"/v1{path}" if form == "rest" else path, headers=headers)


@pytest.mark.parametrize("form", FORMS)
async def test_a_request_and_its_claims(serve: Serve, issuer: Issuer, form: str) -> None:
    async with serve(FORMS[form](issuer.url, AUDIENCE), hello=EVENT) as running:
        token = issuer.token(groups=["a", "b"])
        seen: dict[str, Any] = (await ask(running.client, form, "GET /any", token)).json()
        wrote: dict[str, Any] = (await ask(running.client, form, "POST /write", token)).json()

        if form == "rest":
            assert seen["claims"] == json.loads(b64_decoded(token))
            assert list(seen) == ["claims"]
        else:
            assert seen["jwt"]["scopes"] is None
            assert seen["jwt"]["claims"]["groups"] == "[a b]"
            assert seen["jwt"]["claims"]["exp"] == str(json.loads(b64_decoded(token))["exp"])
            assert wrote["jwt"]["scopes"] == ["orders:read", "orders:write"]
        assert (await ask(running.client, form, "GET /open")).json() is None
        # One request for each document, for all requests together.
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("form", FORMS)
async def test_denied_requests_never_reach_the_function(serve: Serve, issuer: Issuer, form: str) -> None:
    forged = sign_raw('{"alg":"RS256","kid":"rsa-1"}', json.dumps({"iss": issuer.url}), kid="rsa-2")
    unsigned = f"{b64('{"alg":"none","kid":"rsa-1"}')}.{issuer.token().split('.')[1]}."
    async with serve(FORMS[form](issuer.url, AUDIENCE), hello=EVENT) as running:
        for token in (None, "x", forged, unsigned, issuer.token(exp=1), issuer.token(aud="x"), issuer.token("rsa-9")):
            response = await ask(running.client, form, "GET /any", token)
            assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})
            challenge = response.headers.get("www-authenticate", "")
            assert challenge.startswith("Bearer") == (form != "rest")
        forbidden = await ask(running.client, form, "POST /write", issuer.token(scope="orders:read"))
        assert forbidden.status_code == 403
        if form != "rest":
            assert forbidden.json() == {"message": "Forbidden"}
        assert running.started == []
        assert {handled.function for handled in running.handled} == {""}
        assert all(handled.authorization and handled.authorization.jwt == "Own" for handled in running.handled)


async def test_the_documented_challenge(serve: Serve, issuer: Issuer) -> None:
    async with serve(sam_http(issuer.url, AUDIENCE), hello=EVENT) as running:
        response = await ask(running.client, "sam", "GET /any", issuer.token(aud="x"))
        assert response.headers["www-authenticate"] == (
            'Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"'
        )
        assert (await ask(running.client, "sam", "GET /any")).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("form", FORMS)
async def test_an_issuer_that_cant_be_reached(serve: Serve, issuer: Issuer, form: str) -> None:
    issuer.keys = None
    async with serve(FORMS[form](issuer.url, AUDIENCE), hello=EVENT) as running:
        response = await ask(running.client, form, "GET /any", issuer.token())
        assert response.status_code == 401
        if form != "rest":
            assert 'error_description="JWKS communication error"' in response.headers["www-authenticate"]
        seen = running.handled[-1].authorization
        assert seen is not None
        assert seen.problem == "JWKS communication error"


@pytest.mark.parametrize(("form", "status"), [("sam", 431), ("http", 431), ("rest", 413)])
async def test_an_oversized_token_is_refused_before_the_authorizer(
    serve: Serve, issuer: Issuer, form: str, status: int
) -> None:
    async with serve(FORMS[form](issuer.url, AUDIENCE), hello=EVENT) as running:
        response = await ask(running.client, form, "GET /any", issuer.token(padding="x" * 9000))
        assert response.status_code == status
        # The largest that fits is verified like any other.
        assert (await ask(running.client, form, "GET /any", issuer.token(padding="x" * 6000))).status_code == 200


async def test_preflight_requests_of_an_http_api_need_no_token(serve: Serve, issuer: Issuer) -> None:
    template = sam_http(issuer.url, AUDIENCE).replace(
        "    Properties:\n      Auth:",
        "    Properties:\n      CorsConfiguration: { AllowOrigins: ['https://a.test'] }\n      Auth:",
        1,
    )
    async with serve(template, hello=EVENT) as running:
        headers = {"origin": "https://a.test", "access-control-request-method": "GET"}
        response = await running.client.options("/any", headers=headers)
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (204, "https://a.test")
        denied = await running.client.get("/any", headers={"origin": "https://a.test"})
        assert (denied.status_code, denied.headers["access-control-allow-origin"]) == (401, "https://a.test")


def b64_decoded(token: str) -> bytes:
    """The token's payload."""
    payload = token.split(".")[1]
    return urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
