"""What must hold of the verifier's answer to any token."""

from __future__ import annotations

from collections import Counter
from random import Random

from fuzz import oracles, world
from fuzz.building import Base, Case
from tenantgate.errors import TokenError
from tenantgate.tokens.verifier import TokenVerifier, VerifiedToken
from tenantgate.tokens.wiring import tenant_extractor


class Finding(Exception):
    """The product did what it must never do. The text says what; the caller knows the input."""


class Judge:
    """Tries tokens, and counts both directions: what all accept, and what only the others do.

    The other libraries are asked about every token that ours accepts, and about `sample` of those that it refuses.
    """

    def __init__(self, verifier: TokenVerifier | None = None, *, sample: float = 0.0) -> None:
        self._verifier = verifier or world.verifier()
        self._tenant_of = tenant_extractor(world.policy()).tenant_of
        self._oracles = {"PyJWT": oracles.pyjwt(), "joserfc": oracles.joserfc()}
        self._sample = sample
        self._dice = Random(0)  # noqa: S311 - a sample, no secret
        self.accepted = 0
        self.with_tenant = 0
        self.refused: Counter[str] = Counter()
        self.sampled = 0
        self.only_others: Counter[tuple[str, str]] = Counter()
        """By library and our reason: sampled tokens that we refuse and the library takes."""

    def try_token(self, case: Case, base: Base | None = None) -> bool:
        """Whether the token is accepted; raises `Finding`."""
        try:
            verified = self._verifier.verify(case.token)
        except TokenError as refusal:
            self.refused[type(refusal).__name__] += 1
            if case.must_pass:
                raise Finding(f"refused a valid token: {type(refusal).__name__}: {refusal.reason}") from None
            if self._dice.random() < self._sample:
                self._ask_about_refused(case.token, refusal)
            return False
        except Exception as crash:
            raise Finding(f"crashed: {type(crash).__name__}: {crash}") from crash
        self.accepted += 1
        self._check_accepted(case, base, verified)
        return True

    def _check_accepted(self, case: Case, base: Base | None, verified: VerifiedToken) -> None:
        signing_input = case.token.rpartition(".")[0]
        # Whatever any library says: a signing input that no trusted key has signed is a forgery.
        if base is not None and signing_input not in (case.signed_input, base.token.rpartition(".")[0]):
            raise Finding("accepted what no trusted key signed")
        ours = dict(verified.claims)
        for name, decode in self._oracles.items():
            theirs = decode(case.token)
            if theirs is None:
                raise Finding(f"accepted what {name} refuses")
            if theirs != ours:
                raise Finding(f"read other claims than {name}")
        if (verified.issuer, verified.expires_at) != (ours["iss"], ours["exp"]) or verified.subject != ours["sub"]:
            raise Finding("answered something else than the claims say")
        try:
            tenant = self._tenant_of(verified.claims)
        except TokenError:
            return
        except Exception as crash:
            raise Finding(f"crashed at the tenant: {type(crash).__name__}: {crash}") from crash
        if verified.issuer == world.SECOND.url and tenant != world.SECOND.tenant:
            raise Finding("an issuer spoke for a tenant that it isn't bound to")
        self.with_tenant += 1

    def _ask_about_refused(self, token: str, refusal: TokenError) -> None:
        self.sampled += 1
        for name, decode in self._oracles.items():
            if decode(token) is not None:
                self.only_others[name, f"{type(refusal).__name__}: {refusal.reason}"] += 1
