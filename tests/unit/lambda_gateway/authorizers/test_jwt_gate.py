"""API Gateway's own JWT authorizers: each check on a token, and the decision that follows."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from lambda_gateway.authorizers.jwt_gate import JwtGate
from lambda_gateway.authorizers.jwt_tokens import ALGORITHMS, RSA_ALGORITHMS
from lambda_gateway.authorizers.results import Allowed, Denied, Reason
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, ClaimRule, JwtAuthorizer, JwtIssuer, Kind, Route
from tests.fixtures.tokens.issuer import (
    AUDIENCE,
    ISSUER,
    NOW,
    NULL,
    TENANT,
    b64,
    good_claims,
    public_jwk,
    public_jwks,
    sign,
    sign_raw,
)

pytestmark = pytest.mark.anyio

ROUTE = Route("GET", "/a", function="F", authorizer="Own")
SCOPED = Route("GET", "/a", function="F", authorizer="Own", scopes=("orders:write", "orders:admin"))
OTHER_ISSUER = "https://other.example.test"
CLAIMED = json.dumps({"iss": ISSUER})
HEADER = "$request.header.Authorization"


async def published(url: str) -> object:
    """Fetch as from an issuer with one key for each algorithm."""
    if url.endswith("/.well-known/openid-configuration"):
        issuer = url.removesuffix("/.well-known/openid-configuration")
        return {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
    return public_jwks()


def http_gate(audiences: tuple[str, ...] = (AUDIENCE,), source: str = HEADER) -> JwtGate:
    own = JwtAuthorizer("Own", source, (JwtIssuer(ISSUER, audiences),), RSA_ALGORITHMS)
    return JwtGate(Api("HttpApi", (), {}), own, fetch=published, now=lambda: NOW)


def rest_gate(*issuers: JwtIssuer, algorithms: tuple[str, ...] = ("RS256", "ES256")) -> JwtGate:
    trusted = issuers or (JwtIssuer(ISSUER, (AUDIENCE,)),)
    own = JwtAuthorizer("Own", "method.request.header.Authorization", trusted, algorithms)
    return JwtGate(Api("RestApi", (), {}, kind=Kind.REST, stage="v1"), own, fetch=published, now=lambda: NOW)


async def decide(gate: JwtGate, token: str | None, route: Route = ROUTE) -> Allowed | Denied:
    headers = [] if token is None else [("authorization", f"Bearer {token}")]
    return await gate.decide(Request("GET", "/a", "", headers), route, {})


def problem(decision: Allowed | Denied) -> str:
    assert isinstance(decision, Denied)
    assert decision.authorization is not None
    return decision.authorization.problem


def unsigned() -> str:
    header = '{"alg":"none","kid":"rsa-1"}'
    return f"{b64(header)}.{sign(good_claims()).split('.')[1]}."


def hmac_signed() -> str:
    """Sign with the public key as the secret of HS256, the classic confusion of algorithms."""
    signing_input = f"{b64('{"alg":"HS256","kid":"rsa-1"}')}.{sign(good_claims()).split('.')[1]}"
    secret = str(public_jwk("rsa-1")["n"]).encode()
    return f"{signing_input}.{b64(hmac.digest(secret, signing_input.encode(), hashlib.sha256))}"


def altered() -> str:
    header, _, signature = sign(good_claims()).split(".")
    other = sign(good_claims(sub="another")).split(".")[1]
    return f"{header}.{other}.{signature}"


WRONG: Mapping[str, tuple[str, str]] = {
    "no-jwt": ("x", "the token is not a JWT"),
    "no-json": (f"{b64('x')}.{b64('{}')}.x", "the token is not a JWT"),
    "no-object": (f"{b64('[]')}.{b64('{}')}.x", "the token is not a JWT"),
    "nested": (f"{b64('[' * 5000)}.{b64('{}')}.x", "the token is not a JWT"),
    "none": (unsigned(), "the signing method is not allowed"),
    "hs256": (hmac_signed(), "the signing method is not allowed"),
    "ps256": (sign(good_claims(), "PS256"), "the signing method is not allowed"),
    "no-kid": (sign_raw('{"alg":"RS256"}', "{}"), "the token header has no kid"),
    "unknown-kid": (sign(good_claims(), kid="rsa-9"), "the issuer publishes no key with the token's kid"),
    "forged": (sign_raw('{"alg":"RS256","kid":"rsa-1"}', CLAIMED, kid="rsa-2"), "the signature is not"),
    "other-key-type": (
        sign_raw('{"alg":"RS256","kid":"p256-1"}', CLAIMED, kid="rsa-1"),
        "the signature is not valid",
    ),
    "altered": (altered(), "the signature is not valid"),
    "critical": (sign(good_claims(), crit=["exp"]), "the signature is not valid"),
    "issuer": (sign(good_claims(iss=OTHER_ISSUER)), "the token does not have a valid issuer"),
    "issuer-slash": (sign(good_claims(iss=f"{ISSUER}/")), "the token does not have a valid issuer"),
    "no-issuer": (sign(good_claims(iss=None)), "the token does not have a valid issuer"),
    "audience": (sign(good_claims(aud="another")), "the token does not have a valid audience"),
    "audience-of-client": (sign(good_claims(aud="x", client_id=AUDIENCE)), "the token does not have a valid audience"),
    "no-audience": (sign(good_claims(aud=None, client_id=None)), "the token does not have a valid audience"),
    "audience-number": (sign(good_claims(aud=7)), "the token does not have a valid audience"),
    "expired": (sign(good_claims(exp=NOW)), "the token has expired"),
    "no-expiry": (sign(good_claims(exp=None)), "the token has expired"),
    "expiry-text": (sign(good_claims(exp="never")), "the claim exp is not a number"),
    "not-yet": (sign(good_claims(nbf=NOW + 1)), "the token is not valid yet"),
    "future": (sign(good_claims(iat=NOW + 1)), "the token was issued in the future"),
}


@pytest.mark.parametrize(("token", "said"), WRONG.values(), ids=WRONG.keys())
async def test_every_failed_check_is_a_401_with_its_challenge(token: str, said: str) -> None:
    decision = await decide(http_gate(), token)
    assert isinstance(decision, Denied)
    assert decision.reason is Reason.UNAUTHORIZED
    assert problem(decision).startswith(said)
    assert decision.challenge == f'Bearer scope="" error="invalid_token" error_description="{problem(decision)}"'
    assert token not in decision.challenge


@pytest.mark.parametrize(("token", "said"), WRONG.values(), ids=WRONG.keys())
async def test_a_rest_api_denies_the_same_without_a_challenge(token: str, said: str) -> None:
    decision = await decide(rest_gate(), token)
    assert isinstance(decision, Denied)
    assert (decision.reason, decision.challenge) == (Reason.UNAUTHORIZED, "")
    assert problem(decision).startswith(said)


async def test_without_a_token_only_the_scheme_is_named() -> None:
    decision = await decide(http_gate(), None)
    assert isinstance(decision, Denied)
    assert decision.challenge == "Bearer"
    assert decision.authorization is not None
    assert decision.authorization.missing is not None


@pytest.mark.parametrize("value", ["{}", "Bearer {}", "bearer  {}", "BEARER {}"])
async def test_the_scheme_is_optional(value: str) -> None:
    headers = [("authorization", value.format(sign(good_claims())))]
    assert isinstance(await http_gate().decide(Request("GET", "/a", "", headers), ROUTE, {}), Allowed)


async def test_the_token_may_be_in_the_query() -> None:
    gate = http_gate(source="$request.querystring.token")
    request = Request("GET", "/a", f"token={sign(good_claims())}", [])
    assert isinstance(await gate.decide(request, ROUTE, {}), Allowed)


async def test_a_token_without_audience_is_checked_by_its_client() -> None:
    token = sign(good_claims(aud=None))
    assert isinstance(await decide(http_gate(("a-client",)), token), Allowed)
    # The documentation of REST APIs names only `aud`.
    assert problem(await decide(rest_gate(JwtIssuer(ISSUER, ("a-client",))), token)).endswith("valid audience")


async def test_the_claims_of_an_http_api_are_texts() -> None:
    claims = good_claims(level=2, ratio=0.5, admin=True, groups=["a", "b"], address={"city": "é"}, nothing=NULL)
    decision = await decide(http_gate(), sign(claims))
    assert isinstance(decision, Allowed)
    found = decision.context["claims"]
    assert isinstance(found, dict)
    assert {name: found[name] for name in ("exp", "level", "ratio", "admin", "groups", "address", "tenant_id")} == {
        "exp": str(NOW + 600),
        "level": "2",
        "ratio": "0.5",
        "admin": "true",
        "groups": "[a b]",
        "address": '{"city":"é"}',
        "tenant_id": TENANT,
    }
    assert "nothing" not in found
    assert decision.context["scopes"] is None


async def test_the_claims_of_a_rest_api_keep_their_types() -> None:
    claims = good_claims(level=2, groups=["a", "b"])
    decision = await decide(rest_gate(), sign(claims))
    assert isinstance(decision, Allowed)
    assert decision.context == {"claims": claims}


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "orders:read orders:write"},
        {"scope": ["orders:write"]},
        {"scope": None, "scp": ["orders:admin"]},
        {"scope": None, "scp": "orders:admin x"},
    ],
)
async def test_one_of_the_routes_scopes_is_enough(claims: dict[str, Any]) -> None:
    decision = await decide(http_gate(), sign(good_claims(**claims)), SCOPED)
    assert isinstance(decision, Allowed)
    scopes = decision.context["scopes"]
    assert isinstance(scopes, list)
    assert set(SCOPED.scopes) & set(scopes)


@pytest.mark.parametrize("scope", [None, "orders", "orders:write2", "Orders:write", 7, ["orders:read", 7]])
@pytest.mark.parametrize("gate", [http_gate, rest_gate], ids=["http", "rest"])
async def test_without_any_of_them_the_request_is_forbidden(gate: type[JwtGate], scope: object) -> None:
    decision = await decide(gate(), sign(good_claims(scope=scope)), SCOPED)  # type: ignore[call-arg]
    assert isinstance(decision, Denied)
    assert (decision.reason, decision.challenge) == (Reason.INSUFFICIENT_SCOPE, "")


async def test_the_challenge_of_a_scoped_route_names_its_scopes() -> None:
    decision = await decide(http_gate(), sign(good_claims(exp=1)), SCOPED)
    assert isinstance(decision, Denied)
    assert decision.challenge.startswith('Bearer scope="orders:write orders:admin" error="invalid_token"')


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_rest_api_accepts_the_algorithms_that_it_lists(algorithm: str) -> None:
    token = sign(good_claims(), algorithm)
    assert isinstance(await decide(rest_gate(algorithms=(algorithm,)), token), Allowed)
    others = tuple(other for other in ALGORITHMS if other != algorithm)
    assert problem(await decide(rest_gate(algorithms=others), token)) == "the signing method is not allowed"


async def test_each_issuer_has_its_own_audiences() -> None:
    gate = rest_gate(JwtIssuer(ISSUER, (AUDIENCE,)), JwtIssuer(OTHER_ISSUER, ("others",)))
    assert isinstance(await decide(gate, sign(good_claims(iss=OTHER_ISSUER, aud=["x", "others"]))), Allowed)
    assert problem(await decide(gate, sign(good_claims(iss=OTHER_ISSUER)))).endswith("valid audience")


@pytest.mark.parametrize(
    ("value", "rule", "said"),
    [
        ("org-1", ClaimRule("org", required=True, values=("org-1",)), ""),
        ("org-1", ClaimRule("org"), ""),
        (None, ClaimRule("org", values=("org-1",)), ""),
        ("org-2", ClaimRule("org", values=("org-1",)), "the token does not have a valid claim org"),
        ("ORG-1", ClaimRule("org", values=("org-1",)), "the token does not have a valid claim org"),
        (["org-1"], ClaimRule("org", values=("org-1",)), "the token does not have a valid claim org"),
        (None, ClaimRule("org", required=True), "the token does not have the claim org"),
    ],
)
async def test_additional_claims(value: object, rule: ClaimRule, said: str) -> None:
    decision = await decide(rest_gate(JwtIssuer(ISSUER, (AUDIENCE,), (rule,))), sign(good_claims(org=value)))
    if said:
        assert problem(decision) == said
    else:
        assert isinstance(decision, Allowed)


@pytest.mark.parametrize("changes", [{"use": "enc"}, {"alg": "RS512"}])
async def test_a_key_for_another_use_verifies_nothing(changes: dict[str, object]) -> None:
    async def fetch(url: str) -> object:
        return {"keys": [public_jwk("rsa-1", **changes)]} if url.endswith("/keys") else await published(url)

    own = JwtAuthorizer("Own", HEADER, (JwtIssuer(ISSUER, (AUDIENCE,)),), RSA_ALGORITHMS)
    gate = JwtGate(Api("HttpApi", (), {}), own, fetch=fetch, now=lambda: NOW)
    assert problem(await decide(gate, sign(good_claims()))) == "the key is not for this signing method"
