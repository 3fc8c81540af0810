"""Properties of every token: we accept only tokens that PyJWT and joserfc accept, and reject with `TokenError`."""

from __future__ import annotations

import json
import random
from base64 import urlsafe_b64decode
from typing import Any

import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fuzz.plain import plain_claims, plain_header
from tenantgate.errors.tokens import TenantMalformed, TenantMissing, TokenError
from tenantgate.tokens.claims import find
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.policy import parse_tenant_id_pattern
from tenantgate.tokens.roles import RoleReader
from tenantgate.tokens.tenant import TenantExtractor
from tests.fixtures.tokens.forged_tokens import FORGED
from tests.fixtures.tokens.issuer import (
    ALGORITHM_KEYS,
    AUDIENCE,
    ISSUER,
    NOW,
    TENANT,
    b64,
    good_claims,
    private_key,
    public_jwks,
    sign,
    sign_raw,
    static_verifier,
)
from tests.fixtures.tokens.oracles import JoserfcOracle, PyJwtOracle

pytestmark = pytest.mark.unmeasured

JWKS = public_jwks()
VERIFIER = static_verifier(JWKS)
ORACLES = (PyJwtOracle(JWKS), JoserfcOracle(JWKS))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.integers(NOW - 10_000, NOW + 10_000) | st.floats(NOW - 10_000, NOW + 10_000) | JSON
HEADER_NAMES = ["alg", "kid", "typ", "crit", "b64", "jwk", "x", "cty", "jku", "x5u", "x5c", "x5t", "x5t#S256"]
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.just(ISSUER) | JSON,
        "aud": st.just(AUDIENCE) | st.just([AUDIENCE]) | JSON,
        "sub": st.text(max_size=8) | JSON,
        "exp": TIMES,
        "iat": TIMES,
        "nbf": TIMES,
        "jti": JSON,
        "scope": JSON,
        "nonce": JSON,
        **dict.fromkeys(("scp", "token_use", "typ", "events", "azp", "client_id", "roles"), JSON),
    },
)


def _accepts(token: str) -> bool:
    try:
        VERIFIER.verify(token)
    except TokenError:
        return False
    return True


def _plainly(token: str) -> str:
    """Sign the token again in the form that the oracles accept, after PyJWT's algorithm verified the original."""
    (head, claims), (signing_input, _, signature) = _parts(token), token.rpartition(".")
    members, plain = plain_header(head), plain_claims(claims)
    if (members, plain) == (head, claims):
        return token
    alg = str(members["alg"])
    kid = head.get("kid") or ALGORITHM_KEYS[alg]
    public = private_key(kid).public_key()
    assert jwt.get_algorithm_by_name(alg).verify(signing_input.encode(), public, urlsafe_b64decode(signature + "=="))
    return sign_raw(json.dumps({**members, "kid": kid}), json.dumps(plain), alg, kid)


def _parts(token: str) -> list[dict[str, Any]]:
    return [json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


def _agree(token: str) -> None:
    if _accepts(token):
        plain = _plainly(token)
        refusing = [type(oracle).__name__ for oracle in ORACLES if not oracle.accepts(plain, NOW)]
        assert not refusing, f"ours accepts what {refusing} refuse: {token}"


@pytest.mark.parametrize("alg", ALGORITHM_KEYS)
def test_all_three_accept_a_good_token(alg: str) -> None:
    token = sign(good_claims(), alg)
    assert _accepts(token)
    assert [oracle.accepts(token, NOW) for oracle in ORACLES] == [True, True]


def test_the_oracles_refuse_on_their_own() -> None:
    for changes in (
        {"exp": NOW - 100, "iat": NOW - 200},
        {"aud": "x"},
        {"iss": "x"},
        {"nbf": NOW + 100},
        {"sub": None},
    ):
        token = sign(good_claims(**changes))
        assert [oracle.accepts(token, NOW) for oracle in ORACLES] == [False, False], changes


@given(claims=CLAIMS, alg=st.sampled_from(["ES256", "EdDSA"]))
@settings(max_examples=300, deadline=None)
@example(claims=good_claims(), alg="ES256")
def test_signed_with_any_claims_ours_accepts_no_more_than_the_oracles(claims: dict[str, object], alg: str) -> None:
    _agree(sign(good_claims() | claims, alg))


@given(
    header=st.dictionaries(st.sampled_from(HEADER_NAMES), JSON, max_size=4),
    alg=st.sampled_from(["ES256", "EdDSA"]),
)
@settings(max_examples=200, deadline=None)
def test_signed_with_any_header_ours_accepts_no_more_than_the_oracles(header: dict[str, object], alg: str) -> None:
    whole = {"alg": alg, "kid": ALGORITHM_KEYS[alg], **header}
    _agree(sign_raw(json.dumps(whole), json.dumps(good_claims()), alg))


@given(
    text=st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_\-]{0,80}(\.[A-Za-z0-9_\-=+/ ]{0,80}){0,5}", fullmatch=True)
)
@settings(max_examples=500, deadline=None)
def test_any_text_raises_only_a_token_error(text: str) -> None:
    with pytest.raises(TokenError):
        VERIFIER.verify(text)


@given(header=st.binary(max_size=100), payload=st.binary(max_size=100), signature=st.binary(max_size=100))
@settings(max_examples=300, deadline=None)
def test_any_three_segments_are_refused(header: bytes, payload: bytes, signature: bytes) -> None:
    with pytest.raises(TokenError):
        VERIFIER.verify(f"{b64(header)}.{b64(payload)}.{b64(signature)}")


@given(names=st.lists(st.text(max_size=12), max_size=4), claims=st.dictionaries(st.text(max_size=12), JSON, max_size=5))
@settings(max_examples=300, deadline=None)
def test_a_tenant_matches_the_pattern_or_is_rejected(names: list[str], claims: dict[str, object]) -> None:
    pattern = parse_tenant_id_pattern("org-{uuid}")
    try:
        tenant = TenantExtractor(tuple(names), pattern).tenant_of(claims)
    except (TenantMissing, TenantMalformed):
        return
    assert pattern.fullmatch(tenant)


NAMES = st.sampled_from(["a", "a.b", "a.*", "a.*.b", "*", "a.b.c", ".", "https://x.test/a.b", "b", ""])
NESTED = st.dictionaries(st.sampled_from(["a", "b", "a.b", "*", "https://x.test/a", "c"]), JSON, max_size=4)
NESTED |= st.dictionaries(st.sampled_from(["a", "https://x.test/a"]), NESTED, max_size=2)


@given(claims=NESTED, names=st.lists(NAMES, min_size=1, max_size=3), allowed=st.frozensets(st.text(max_size=3)))
@settings(max_examples=500, deadline=None)
def test_any_claims_give_roles_within_the_allow_list_and_hide_the_others(
    claims: dict[str, object], names: list[str], allowed: frozenset[str]
) -> None:
    policy = IssuerPolicy(ISSUER, (AUDIENCE,), roles=allowed, role_claims=tuple(names))
    roles, visible = RoleReader(("roles",), (policy,)).read(claims, issuer=ISSUER, tenant_id=TENANT)
    everything, _ = RoleReader(tuple(names), (IssuerPolicy(ISSUER, (AUDIENCE,)),)).read(
        claims, issuer=ISSUER, tenant_id=TENANT
    )
    assert roles == everything & allowed
    assert all(role and role.isprintable() for role in everything)
    # Reading the remaining claims by the same names returns nothing.
    assert [find(visible, name) for name in names] == [None] * len(names)


@given(value=JSON | st.dictionaries(st.text(max_size=3), JSON, max_size=2))
@settings(max_examples=500, deadline=None)
def test_a_value_is_exactly_one_tenant_or_is_rejected(value: object) -> None:
    extractor = TenantExtractor(("t",), parse_tenant_id_pattern("^.*$"))
    try:
        tenant = extractor.tenant_of({"t": value})
    except (TenantMissing, TenantMalformed):
        return
    held = value[0] if isinstance(value, list) else next(iter(value)) if isinstance(value, dict) else value
    assert type(held) in (str, int)
    assert tenant == str(held)
    assert not isinstance(value, list | dict) or len(value) == 1


def _mutated(token: str, chance: random.Random) -> str:  # noqa: C901 - a table of nine edits
    """Make one to three random changes such as an attacker or a bad connection makes."""
    for _ in range(chance.randint(1, 3)):
        position = chance.randrange(len(token))
        kind = chance.randrange(9)
        if kind == 0:
            token = token[:position] + chr(chance.randrange(33, 127)) + token[position + 1 :]
        elif kind == 1:
            token = token[:position] + token[position + 1 :]
        elif kind == 2:
            token = token[:position] + chance.choice("AQgw-_=+/.~ \n\0") + token[position:]
        elif kind == 3:
            token = token[:position]
        elif kind == 4:
            token = token + chance.choice(["A", "=", "==", ".", "\n", " ", "AA", ".e30"])
        elif kind == 5:
            segments = token.split(".")
            chance.shuffle(segments)
            token = ".".join(segments)
        elif kind == 6:
            token = _edited_json(token, chance)
        elif kind == 7:
            last = token.rfind(".") - 1
            token = token[:last] + chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") + token[last + 1 :]
        else:
            token = token[:-1] + chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        if not token:
            return "."
    return token


def _edited_json(token: str, chance: random.Random) -> str:
    segments = token.split(".")
    place = chance.randrange(min(2, len(segments)))
    try:
        text = urlsafe_b64decode(segments[place] + "==").decode()
    except ValueError:
        return token
    old, new = chance.choice(
        [
            ("RS256", "none"),
            ("ES256", "HS256"),
            ("EdDSA", "ES256"),
            ("rsa-1", "p256-1"),
            ('"', "'"),
            ("{", '{"x":1,'),
            ("{", '{"alg":"none",'),
            ("{", '{"sub":"admin",'),
            (": ", ":"),
            ("user-1", "admin"),
            ("at+jwt", "JWT"),
            ("179", "999"),
            ("}", ' , "exp": 99999999999}'),
        ]
    )
    segments[place] = b64(text.replace(old, new))
    return ".".join(segments)


@pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256", "ES512", "EdDSA"])
def test_an_accepted_mutation_passes_the_oracles(alg: str) -> None:
    chance = random.Random(f"mutations of {alg}")
    token = sign(good_claims(), alg)
    accepted = 0
    for _ in range(2000):
        mutated = _mutated(token, chance)
        _agree(mutated)
        accepted += mutated != token and _accepts(mutated)
    assert accepted == 0, "a change of a signed token is never accepted"


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_an_accepted_resigned_payload_passes_the_oracles(alg: str) -> None:
    chance = random.Random(f"payloads of {alg}")
    values: list[object] = [
        None,
        True,
        0,
        -1,
        1.5,
        NOW,
        NOW + 3600,
        NOW - 3600,
        str(NOW),
        "",
        [],
        {},
        [AUDIENCE],
        AUDIENCE,
        ISSUER,
    ]
    accepted = 0
    for _ in range(1000):
        claims = good_claims()
        for _ in range(chance.randint(0, 2)):
            name = chance.choice([*claims, "nbf", "azp", "extra"])
            claims[name] = chance.choice(values)
        token = sign(claims, alg)
        _agree(token)
        accepted += _accepts(token)
    assert accepted > 50, "some of them are valid, otherwise this test would prove nothing"


def test_the_whole_corpus_is_refused_where_an_oracle_accepts_it_too() -> None:
    for forged in FORGED:
        _agree(forged.build())
