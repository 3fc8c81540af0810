"""Verified credentials in the form in which revocations judge them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tenantgate.identity.presented import presented_session, presented_token
from tests.fixtures.authorizer.sessions import entry
from tests.fixtures.tokens.issuer import (
    ISSUER,
    NOW,
    NULL,
    TENANT,
    good_claims,
    public_jwk,
    public_jwks,
    sign,
    sign_raw,
    static_verifier,
)


def test_a_token_is_presented_with_all_by_which_it_can_be_revoked() -> None:
    token = sign(good_claims(sub="user-9", iat=NOW - 7.5))
    verified = static_verifier().verify(token)
    assert presented_token(verified, tenant_id="tenant-of-the-claims", token=token) == (
        *("tenant-of-the-claims", ISSUER, "user-9", "token-1", token, ["a-client"], "rsa-1", NOW - 8),
    )


@pytest.mark.parametrize(
    ("changes", "clients"),
    [
        ({"azp": "b", "client_id": "a", "cid": "c", "appid": "d"}, ["b", "a", "c", "d"]),
        ({"client_id": None, "appid": "d"}, ["d"]),
        ({"client_id": ["a"], "cid": "c"}, ["c"]),
        ({"client_id": 7, "azp": NULL}, ["tenantgate-api"]),
        ({"client_id": None, "aud": ["tenantgate-api", "app"]}, ["tenantgate-api", "app"]),
    ],
)
def test_the_client_is_named_by_the_providers_claims(changes: dict[str, Any], clients: list[str]) -> None:
    token = sign(good_claims(**changes))
    verified = static_verifier().verify(token)
    assert presented_token(verified, tenant_id=TENANT, token=token).client_ids == clients


@pytest.mark.parametrize(
    ("published", "kid"),
    [
        pytest.param(public_jwks("rsa-1"), "rsa-1", id="the-keys-own"),
        pytest.param(public_jwks("rsa-1", "p256-1"), "rsa-1", id="the-only-one-that-fits"),
        pytest.param({"keys": [{**public_jwk("rsa-1"), "kid": ""}]}, None, id="a-key-without"),
    ],
)
def test_a_token_that_names_no_key_is_presented_with_that_of_its_key(
    published: dict[str, object], kid: str | None
) -> None:
    token = sign_raw('{"alg":"RS256","typ":"at+jwt"}', json.dumps(good_claims()))
    verified = static_verifier(published).verify(token)
    assert presented_token(verified, tenant_id=TENANT, token=token).kid == kid


def test_a_session_is_presented_with_our_own_time() -> None:
    live = entry(provider_auth_time=NOW - 9_999)
    assert presented_session(live) == (TENANT, ISSUER, "user-1", live.session_id, NOW - 600)
