"""The statements of docs/GUARD_YOUR_API.md about Powertools' `auth_alpha` match the installed version."""

import time
from typing import Any

import jwt
import pytest
from aws_lambda_powertools.utilities.auth_alpha import JWTVerifier
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.fixtures.authorizer.events import authorizer_event
from tests.fixtures.docs.guard_page import PAGE

ISSUER, AUDIENCE = "https://issuer.example.test/", "orders"
KEY = rsa.generate_private_key(65537, 2048)
JWKS = {"keys": [RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "1", "use": "sig"}]}
VERIFIER = JWTVerifier(issuer=ISSUER, audience=AUDIENCE, algorithms=["RS256"], jwks=JWKS)


def token(**claims: object) -> str:
    now = int(time.time())
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + 600, **claims}
    return jwt.encode(payload, KEY, "RS256", {"kid": "1"})


def statement(response: dict[str, Any]) -> dict[str, Any]:
    (found,) = response["policyDocument"]["Statement"]
    assert isinstance(found, dict)
    return found


def test_the_comparison_is_on_the_page() -> None:
    assert "auth_alpha" in PAGE.read_text(encoding="utf-8")


def test_a_policy_covers_one_method_and_path() -> None:
    event = authorizer_event("rest-request", token())
    assert statement(VERIFIER.authorize(event)) == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": [event["methodArn"]],
    }


def test_an_invalid_token_is_denied_rather_than_unauthorized() -> None:
    event = authorizer_event("rest-request", token(exp=1))
    assert statement(VERIFIER.authorize(event))["Effect"] == "Deny"


def test_a_websocket_connect_is_an_error() -> None:
    with pytest.raises(ValueError, match="ARN"):
        VERIFIER.authorize(authorizer_event("websocket", token()))


def test_an_id_token_passes_unless_a_header_or_claim_is_named() -> None:
    id_token = token(nonce="n", at_hash="h", auth_time=1)
    assert VERIFIER.verify(id_token)["nonce"] == "n"
    strict = JWTVerifier(
        issuer=ISSUER, audience=AUDIENCE, algorithms=["RS256"], jwks=JWKS, expected_headers={"typ": "at+jwt"}
    )
    with pytest.raises(Exception, match="claims"):
        strict.verify(id_token)


def test_a_tenant_is_not_looked_at() -> None:
    assert VERIFIER.verify(token(tenant_id="../another", org_id=["a", "b"]))["tenant_id"] == "../another"
