"""The checks of API Gateway's JWT authorizers on a token.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-jwt-authorizer.html

AWS publishes one description of a failed check, that of the audience. The others say what failed in the same style.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Collection, Mapping, Sequence

from joserfc import jwk, jws
from joserfc.errors import JoseError, SecurityWarning

from lambda_gateway.model import ClaimRule, JwtIssuer

RSA_ALGORITHMS = ("RS256", "RS384", "RS512")
ALGORITHMS = (*RSA_ALGORITHMS, "ES256", "ES384", "ES512")

type Claims = Mapping[str, object]


class InvalidToken(Exception):
    """The token is not valid. The text names the failed check, and contains nothing of the token."""


class UnverifiedToken:
    """A token before the check of its signature. The constructor raises InvalidToken.

    algorithms  the accepted ones; `none` and the HMAC algorithms can never be among them
    """

    def __init__(self, text: str, algorithms: Collection[str]) -> None:
        parts = text.split(".")
        if len(parts) != 3:
            raise InvalidToken("the token is not a JWT")
        header = _decoded(parts[0])
        self._text = text
        self._claims = _decoded(parts[1])
        self._algorithm = header.get("alg")
        if self._algorithm not in ALGORITHMS or self._algorithm not in algorithms:
            raise InvalidToken("the signing method is not allowed")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not key_id:
            raise InvalidToken("the token header has no kid")
        self.key_id = key_id

    def issuer_among(self, issuers: Sequence[JwtIssuer]) -> JwtIssuer:
        """Return the issuer that the token claims. Raises InvalidToken if it isn't trusted."""
        claimed = self._claims.get("iss")
        for issuer in issuers:
            if issuer.url == claimed:
                return issuer
        raise InvalidToken("the token does not have a valid issuer")

    def verified(self, key: Mapping[str, object]) -> Claims:
        """Check the signature and return the claims. Raises InvalidToken."""
        algorithm = str(self._algorithm)
        if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
            raise InvalidToken("the key is not for this signing method")
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        # API Gateway's own limit, that of all headers, is checked before.
        registry.max_header_length = registry.max_payload_length = len(self._text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)
                public = jwk.import_key({name: value for name, value in key.items() if isinstance(value, str)})
                jws.deserialize_compact(self._text, public, algorithms=[algorithm], registry=registry)
        except (JoseError, ValueError, TypeError) as error:
            raise InvalidToken("the signature is not valid") from error
        return self._claims


def check_audience(claims: Claims, audiences: Collection[str], *, or_client: bool) -> None:
    """Check `aud`. `or_client`: an HTTP API checks `client_id` of a token without `aud`. Raises InvalidToken."""
    found = claims.get("aud")
    if found is None and or_client:
        found = claims.get("client_id")
    given = found if isinstance(found, list) else [found]
    if not any(isinstance(audience, str) and audience in audiences for audience in given):
        raise InvalidToken("the token does not have a valid audience")


def check_times(claims: Claims, now: float) -> None:
    """Check `exp`, and `nbf` and `iat` if the token has them, without tolerance. Raises InvalidToken."""
    if _time(claims, "exp", missing=0.0) <= now:
        raise InvalidToken("the token has expired")
    if _time(claims, "nbf", missing=now) > now:
        raise InvalidToken("the token is not valid yet")
    if _time(claims, "iat", missing=now) > now:
        raise InvalidToken("the token was issued in the future")


def check_claims(claims: Claims, rules: Collection[ClaimRule]) -> None:
    """Check a REST API's additional claims. Raises InvalidToken."""
    for rule in rules:
        value = claims.get(rule.name)
        if value is None:
            if rule.required:
                raise InvalidToken(f"the token does not have the claim {rule.name}")
        elif rule.values and value not in rule.values:
            raise InvalidToken(f"the token does not have a valid claim {rule.name}")


def scopes_of(claims: Claims) -> list[str]:
    """Return the scopes in `scope` or, without it, in `scp`: a list, or a text separated by spaces."""
    given = claims.get("scope", claims.get("scp"))
    if isinstance(given, str):
        return given.split()
    return [scope for scope in given if isinstance(scope, str)] if isinstance(given, list) else []


def as_texts(claims: Claims) -> dict[str, str]:
    """Return the claims as an HTTP API passes them on: every value as text, lists as `[a b]`, without null."""
    return {name: _text(value) for name, value in claims.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return f"[{' '.join(_text(item) for item in value)}]"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _time(claims: Claims, name: str, *, missing: float) -> float:
    value = claims.get(name, missing)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"the claim {name} is not a number")
    return value


def _decoded(part: str) -> dict[str, object]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidToken("the token is not a JWT") from error
    if not isinstance(value, dict):
        raise InvalidToken("the token is not a JWT")
    return value
