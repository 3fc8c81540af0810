"""Bearer tokens that are revoked: each kind, after all other checks, and also for a token that is remembered."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode

import pytest

from tenantgate.errors.revocation import RevocationUnknown, TokenRevoked
from tenantgate.errors.tokens import InvalidSignature, TenantMissing, TenantNotAllowed, TokenExpired
from tenantgate.identity.bearer import BearerCredential
from tenantgate.revoked.names import client_name, issuer_name, kid_name, tenant_name, token_name, user_name
from tenantgate.revoked.snapshot import Snapshot
from tests.fixtures.revoked.snapshots import snapshot
from tests.fixtures.tokens.issuer import (
    ISSUER,
    NOW,
    TENANT,
    b64,
    good_claims,
    policy_of,
    public_jwks,
    sign,
    sign_raw,
    static_verifier,
)

USER = user_name(TENANT, ISSUER, "user-1")
# The issuer's clock may be ahead by this.
LEEWAY = 60


class Current:
    """The current revocations, which a test replaces; None: not known."""

    def __init__(self, current: Snapshot | None = None) -> None:
        self.now = current
        self.credential = BearerCredential(
            static_verifier(public_jwks("rsa-1", "p256-1")), policy_of(jwt_leeway_seconds=str(LEEWAY)), revocations=self
        )

    def __call__(self) -> Snapshot:
        if self.now is None:
            raise RevocationUnknown
        return self.now


@pytest.mark.parametrize(
    ("revoked", "error"),
    [
        pytest.param(snapshot(exact=[token_name(ISSUER, "token-1", "")]), TokenRevoked, id="token"),
        pytest.param(snapshot(exact=[kid_name(ISSUER, "rsa-1")]), TokenRevoked, id="kid"),
        pytest.param(snapshot(until={USER: NOW - 10}), TokenRevoked, id="user"),
        pytest.param(snapshot(until={client_name(ISSUER, "a-client"): NOW - 10}), TokenRevoked, id="client"),
        pytest.param(snapshot(until={tenant_name(TENANT): NOW - 10}), TokenRevoked, id="tenant"),
        pytest.param(snapshot(suspended=[tenant_name(TENANT)]), TenantNotAllowed, id="suspended"),
        pytest.param(snapshot(registered=[tenant_name("other")]), TenantNotAllowed, id="registration-is-closed"),
        pytest.param(
            snapshot(issuers={tenant_name(TENANT): [issuer_name("https://other.test/")]}), TenantNotAllowed, id="issuer"
        ),
    ],
)
def test_a_remembered_token_is_judged_by_each_snapshot(revoked: Snapshot, error: type[Exception]) -> None:
    current, token = Current(snapshot()), sign(good_claims())
    assert current.credential.principal(token).user_id == "user-1"
    current.now = revoked
    for _ in range(2):
        with pytest.raises(error):
            current.credential.principal(token)
    current.now = snapshot(8)
    assert current.credential.principal(token).user_id == "user-1"


@pytest.mark.parametrize(
    "other",
    [
        snapshot(exact=[token_name(ISSUER, "token-2", ""), token_name("https://other.test/", "token-1", "")]),
        snapshot(exact=[kid_name(ISSUER, "rsa-2"), kid_name("https://other.test/", "rsa-1")]),
        snapshot(
            until={user_name("other", ISSUER, "user-1"): NOW, user_name(TENANT, "https://o.test/", "user-1"): NOW}
        ),
        snapshot(until={client_name(ISSUER, "b-client"): NOW, tenant_name("other"): NOW}),
        snapshot(suspended=[tenant_name("other")], registered=[tenant_name(TENANT)]),
        snapshot(issuers={tenant_name(TENANT): [issuer_name(ISSUER)], tenant_name("other"): []}),
    ],
    ids=["tokens", "kids", "users", "clients-and-tenants", "suspended", "issuers"],
)
def test_what_is_revoked_elsewhere_does_not_matter(other: Snapshot) -> None:
    assert Current(other).credential.principal(sign(good_claims())).user_id == "user-1"


def test_a_new_token_counts_again_after_the_leeway() -> None:
    current = Current(snapshot(until={USER: NOW - LEEWAY - 20}))
    assert current.credential.principal(sign(good_claims(iat=NOW - 19))).user_id == "user-1"
    with pytest.raises(TokenRevoked):
        current.credential.principal(sign(good_claims(iat=NOW - 20)))


def test_the_other_checks_come_first() -> None:
    """Only a good token says anything about revocations: no forged one finds out what is revoked, or costs a fetch."""
    current = Current(None)
    forged = sign(good_claims()).rpartition(".")[0] + "." + b64(b"\x00" * 256)
    for token, error in (
        (forged, InvalidSignature),
        (sign(good_claims(exp=NOW - 61, iat=NOW - 600)), TokenExpired),
        (sign(good_claims(tenant_id=None)), TenantMissing),
        (sign(good_claims()), RevocationUnknown),
    ):
        with pytest.raises(error):
            current.credential.principal(token)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_thief_of_a_revoked_key_gains_nothing_without_its_kid(algorithm: str) -> None:
    kid = "rsa-1" if algorithm == "RS256" else "p256-1"
    header = json.dumps({"alg": algorithm, "typ": "at+jwt"})
    current, token = Current(snapshot()), sign_raw(header, json.dumps(good_claims()), algorithm)
    assert current.credential.principal(token).user_id == "user-1"
    current.now = snapshot(exact=[kid_name(ISSUER, kid)])
    with pytest.raises(TokenRevoked):
        current.credential.principal(token)


def test_a_second_signature_of_a_token_without_an_id_is_revoked_with_the_first() -> None:
    """With s, also n - s verifies (ECDSA): anyone can make this other text of the token."""
    token = sign(good_claims(jti=None), "ES256")
    signed, _, signature = token.rpartition(".")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    raw = urlsafe_b64decode(signature + "==")
    other = f"{signed}.{b64(raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32))}"
    current = Current(snapshot())
    assert current.credential.principal(other) == current.credential.principal(token)
    current.now = snapshot(exact=[token_name(ISSUER, None, token)])
    for text in (token, other):
        with pytest.raises(TokenRevoked):
            current.credential.principal(text)
    assert current.credential.principal(sign(good_claims(jti=None, sub="user-2"), "ES256")).user_id == "user-2"
