"""The properties of the verifier's result for any token."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

from fuzz import oracles, world
from fuzz.building import Base, Case
from fuzz.plain import plain_claims
from tenantgate.errors.tokens import TokenError
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.principal import Principal
from tenantgate.tokens.verifier import TokenVerifier, VerifiedToken


class Finding(Exception):
    """The product violated a property, which the text names; the caller knows the input."""


class Judge:
    """Tries tokens, and counts both directions: tokens that all accept, and tokens that only the others accept.

    The other libraries check every token that our verifier accepts, and a share of `sample` of those that it rejects.
    """

    def __init__(self, verifier: TokenVerifier | None = None, *, sample: float = 0.0) -> None:
        self._verifier = verifier or world.verifier()
        self._principal = BearerCredential(self._verifier, world.policy()).principal
        self._oracles = {"PyJWT": oracles.pyjwt(), "joserfc": oracles.joserfc()}
        self._sample = sample
        self._dice = Random(0)  # noqa: S311 - a sample, no secret
        self.accepted = 0
        self.with_tenant = 0
        self.refused: Counter[str] = Counter()
        self.sampled = 0
        self.only_others: Counter[tuple[str, str]] = Counter()
        """By library and our reason: sampled tokens that we reject and the library accepts."""

    def try_token(self, case: Case, base: Base | None = None) -> bool:
        """Return whether the token is accepted; raise `Finding`."""
        try:
            verified = self._verifier.verify(case.token)
        except TokenError as error:
            self.refused[type(error).__name__] += 1
            if case.must_pass:
                raise Finding(f"rejected a valid token: {type(error).__name__}: {error.reason}") from None
            if self._dice.random() < self._sample:
                self._check_rejected(case.token, error)
            return False
        except Exception as crash:
            raise Finding(f"crashed: {type(crash).__name__}: {crash}") from crash
        self.accepted += 1
        self._check_accepted(case, base, verified)
        return True

    def _check_accepted(self, case: Case, base: Base | None, verified: VerifiedToken) -> None:
        signing_input = case.token.rpartition(".")[0]
        # Regardless of the libraries: a signing input that no trusted key has signed is a forgery.
        if base is not None and signing_input not in (case.signed_input, base.token.rpartition(".")[0]):
            raise Finding("accepted a token that no trusted key signed")
        ours = dict(verified.claims)
        self._ask_others(case.token, ours)
        ends = math.floor(float(str(ours["exp"])))
        if (verified.issuer, verified.expires_at) != (ours["iss"], ends) or verified.subject != ours["sub"]:
            raise Finding("returned other values than the claims have")
        self._check_kind(case.token, ours)
        try:
            principal = self._principal(case.token)
        except TokenError:
            return
        except Exception as crash:
            raise Finding(f"crashed at the principal: {type(crash).__name__}: {crash}") from crash
        self._check_bounds(principal)
        self.with_tenant += 1

    def _ask_others(self, token: str, ours: oracles.Claims) -> None:
        try:
            plain, claims = oracles.plainly(token)
        except Exception as error:
            raise Finding(f"accepted a token that PyJWT can't verify: {error}") from error
        if plain_claims(ours) != claims:
            raise Finding("read other claims than json")
        for name, decode in self._oracles.items():
            theirs = decode(plain)
            if theirs is None:
                raise Finding(f"accepted a token that {name} rejects")
            if theirs != claims:
                raise Finding(f"read other claims than {name}")

    @staticmethod
    def _check_kind(token: str, claims: oracles.Claims) -> None:
        if any(claims.get(name) is not None for name in ("nonce", "at_hash", "c_hash", "s_hash", "events")):
            raise Finding("accepted an ID token or a logout token")
        says_so = (
            str(oracles.header_of(token).get("typ")).lower() in ("at+jwt", "application/at+jwt"),
            claims.get("token_use") == "access",
            claims.get("scope"),
            claims.get("scp"),
            str(claims.get("typ")).lower() == "bearer",
        )
        if claims["iss"] == world.SECOND.url and not any(says_so):
            raise Finding("accepted a token for a client without evidence that it is an access token")

    @staticmethod
    def _check_bounds(principal: Principal) -> None:
        if principal.issuer != world.SECOND.url:
            return
        if principal.tenant_id != world.SECOND.tenant:
            raise Finding("an issuer issued a token for a tenant that it isn't bound to")
        if not principal.scopes <= world.SECOND_MAY_GIVE or not principal.roles <= world.SECOND_MAY_GIVE:
            raise Finding("an issuer granted a scope or a role that it may not grant")
        if not world.WITHHELD.isdisjoint(principal.claims):
            raise Finding("a role or a scope bypasses the allow-list")

    def _check_rejected(self, token: str, error: TokenError) -> None:
        self.sampled += 1
        for name, decode in self._oracles.items():
            if decode(token) is not None:
                self.only_others[name, f"{type(error).__name__}: {error.reason}"] += 1
