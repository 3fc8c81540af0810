"""Two verifiers that nobody here wrote, set to the same algorithms, keys, audience, issuer and clock as ours."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from unittest import mock

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from tests.support.tokens import ALGORITHM_KEYS, AUDIENCE, ISSUER

LEEWAY = 60


class PyJwtOracle:
    """PyJWT, with the key chosen by `kid` as its own JWKS client does."""

    def __init__(self, jwks: Mapping[str, object]) -> None:
        self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(jwks)).keys}

    def accepts(self, token: str, now: int) -> bool:
        with mock.patch("jwt.api_jwt.datetime") as clock:
            clock.now.return_value = datetime.fromtimestamp(now, tz=UTC)
            try:
                key = self._keys[jwt.get_unverified_header(token)["kid"]]
                jwt.decode(
                    token,
                    key.key,
                    algorithms=list(ALGORITHM_KEYS),
                    audience=AUDIENCE,
                    issuer=ISSUER,
                    leeway=LEEWAY,
                    options={"require": ["exp", "iat", "sub", "iss", "aud"]},
                )
            except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, RecursionError):
                return False
        return True


class JoserfcOracle:
    """joserfc: signature by its key set, then its claims registry.

    Unknown header members are ignored, as RFC 7515 §4 demands and joserfc by default doesn't.
    """

    def __init__(self, jwks: Mapping[str, object]) -> None:
        self._keys = KeySet.import_key_set(json.loads(json.dumps(jwks)))
        self._registry = JWSRegistry(algorithms=list(ALGORITHM_KEYS), strict_check_header=False)
        # Its limits of length are its own; ours are tested elsewhere.
        self._registry.max_header_length = self._registry.max_payload_length = 64 * 1024

    def accepts(self, token: str, now: int) -> bool:
        registry = joserfc_jwt.JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                decoded = joserfc_jwt.decode(token, self._keys, registry=self._registry)
                registry.validate(decoded.claims)
            except (JoseError, ValueError, TypeError, KeyError, RecursionError):
                return False
        return True
