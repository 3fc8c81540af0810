"""Whether a JWT is good: signature, then kind, times, issuer, audience and subject (RFC 7519, RFC 8725, RFC 9068).

Synchronous, and without I/O while the key is in memory. Only what a signature covers is believed: before it is checked,
the token's words choose nothing but which trusted issuer's keys to try.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as BadSignature

from tenantgate.errors.base import Word
from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    IdTokenRefused,
    InvalidSignature,
    MissingClaim,
    TokenError,
    WrongIssuer,
)
from tenantgate.tokens import claims as check
from tenantgate.tokens.access_token import ACCESS_TOKEN_TYPE, KIND_CLAIMS, check_audience, check_kind
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jws import Header, decode, json_object, parse_header, take_apart
from tenantgate.tokens.keys import KeyFetchNeeded
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from tenantgate.tokens.key_source import IssuerKeys, KeySource

__all__ = ["KeyFetchNeeded", "TokenVerifier", "VerifiedToken"]

_log = logging.getLogger(__name__)

# Two generations of the memo: at most twice as much is held, and one look-up finds a recent token. It is bounded by the
# tokens' length, too: an issuer chooses what they say, and a list of short words takes 30 times its text in memory.
MEMO_SIZE = 512
MEMO_CHARACTERS = 512 * 1024
# Of at most 12 KB each, nearly always of a hundred bytes.
_HEADERS = 64


class VerifiedToken(Record):
    """A token whose every check passed. Times are whole epoch seconds; `claims` is read-only and as it was signed.

    `scopes` are those that the issuer may give.
    """

    __slots__ = ()

    issuer: str
    subject: str
    issued_at: int
    expires_at: int
    scopes: frozenset[str]
    claims: Mapping[str, object]
    token_id: str | None = None


# Plain tuples, because making a named one costs a twentieth of the signature.
type _Signed = tuple[Header, dict[str, object], _Trusted, IssuerKeys, int]
"""Header, claims, the issuer's policy, its keys and their generation."""
type _Remembered = tuple[VerifiedToken, float, int, IssuerKeys, int]
"""The answer, from when until when it holds, the issuer's keys and their generation."""


class _Trusted:
    """An issuer's policy with what each token asks of it at hand; `audience` is the first one accepted."""

    __slots__ = (
        "algorithms", "aud_alone", "audience", "issuer", "policy", "scope_claims", "scopes", "sure_type", "user_claim",
    )  # fmt: skip

    def __init__(self, policy: IssuerPolicy) -> None:
        self.policy = policy
        self.issuer = policy.issuer
        self.algorithms = policy.algorithms
        self.sure_type = ACCESS_TOKEN_TYPE if ACCESS_TOKEN_TYPE in policy.token_types else None
        self.user_claim = policy.user_claim
        self.scope_claims = policy.scope_claims
        self.scopes = policy.scopes
        self.aud_alone = policy.audience_claims == ("aud",)
        self.audience = policy.audiences[0]


class TokenVerifier:
    """Verifies tokens of the issuers in `policy` by the keys that `keys` holds. Safe to share between threads."""

    def __init__(self, policy: TokenPolicy, keys: KeySource, *, clock: Callable[[], float] = time.time) -> None:
        self._trusted = {issuer.issuer: _Trusted(issuer) for issuer in policy.issuers}
        self._login_issuer = policy.issuers[0].issuer
        self._longest = policy.max_lifetime_seconds
        self._leeway = policy.leeway_seconds
        self._keys = keys
        self._clock = clock
        self._headers: dict[bytes, Header] = {}
        self._memo: dict[str, _Remembered] = {}
        self._older_memo: dict[str, _Remembered] = {}
        self._memo_room = MEMO_CHARACTERS
        self._largest_skew = 0

    def verify(self, token: str, *, fetch: bool = True, allow_expired: bool = False) -> VerifiedToken:
        """Check an access token; raises the `TokenError` of the first check that fails.

        Without `fetch`, raises `KeyFetchNeeded` when only asking the issuer could tell. `ProviderUnreachable` means
        that no usable key is held and the issuer doesn't answer. `allow_expired` is for signing out.
        """
        now = self._clock()
        remembered = self._memo.get(token) or self._older_memo.get(token)
        if remembered is not None:
            answer, valid_from, valid_until, keys, generation = remembered
            held = keys.held
            if valid_from <= now < valid_until and generation == held.generation and now < held.tend_at:
                return answer
        header, claims, trusted, keys, generation = self._signed(token, fetch)
        if header.typ != trusted.sure_type or not KIND_CLAIMS.isdisjoint(claims):
            check_kind(claims, header, trusted.policy)
        leeway = self._leeway
        issued_at, expires_at, valid_from = check.check_times(claims, now, leeway, self._longest)
        if not trusted.aud_alone or claims.get("aud") != trusted.audience:
            check_audience(claims, trusted.policy)
        subject = check.required_text(claims, "sub")
        scopes = check.scopes_of(claims, trusted.scope_claims)
        answer = VerifiedToken(
            trusted.issuer,
            subject if trusted.user_claim == "sub" else check.user_of(claims, trusted.user_claim),
            issued_at,
            expires_at,
            scopes if trusted.scopes is None else scopes & trusted.scopes,
            MappingProxyType(claims),
            check.token_id_of(claims) if "jti" in claims else None,
        )
        if not allow_expired:
            # Last, so that only a token that was good once is called expired.
            check.check_expiry(expires_at, now, leeway)
            self._remember(token, (answer, valid_from, expires_at + leeway, keys, generation))
        if issued_at > now:
            self._note_skew(issued_at - now, trusted.issuer)
        return answer

    def verify_id_token(
        self,
        token: str,
        *,
        client_id: str,
        nonce: str | None,
        access_token: str | None,
        code: str | None = None,
        fetch: bool = True,
        allow_expired: bool = False,
        issuer: str | None = None,
    ) -> VerifiedToken:
        """Check an ID token of the login provider (OpenID Connect Core §3.1.3.7); any failure is `IdTokenRefused`.

        `nonce` is compared unless None; `at_hash` and `c_hash` are, when present, against `access_token` and `code`.
        `issuer` is the provider that was asked, `OIDC_ISSUER_URL`'s by default.
        """
        from tenantgate.tokens.id_token import check_id_token  # noqa: PLC0415

        now = self._clock()
        try:
            header, claims, trusted, _, _ = self._signed(token, fetch)
            if trusted.issuer != (issuer or self._login_issuer):
                raise WrongIssuer("iss is another provider", expected=issuer or self._login_issuer)
            return check_id_token(
                claims,
                header,
                client_id=client_id,
                nonce=nonce,
                access_token=access_token,
                code=code,
                now=now,
                leeway=self._leeway,
                allow_expired=allow_expired,
            )
        except TokenError as refusal:
            raise _id_token_refused(refusal) from refusal
        except KeyFetchNeeded as needed:
            if isinstance(needed.failure, TokenError):
                needed.failure = _id_token_refused(needed.failure)
            raise

    def _signed(self, token: str, fetch: bool) -> _Signed:
        """Take the token apart and check its signature by its issuer's key: nothing else is known of it then."""
        header_segment, payload, signature_segment, signed = take_apart(token)
        known = self._headers.get(header_segment)
        header = known or parse_header(header_segment)
        claims = json_object(decode(payload, "payload"), "payload")
        signature = decode(signature_segment, "signature")
        issuer = claims.get("iss")
        trusted = self._trusted.get(issuer) if isinstance(issuer, str) else None
        if trusted is None:
            if "iss" not in claims:
                raise MissingClaim("iss is missing", claim="iss")
            raise WrongIssuer("iss is not trusted", expected=sorted(self._trusted), actual=check.shown(issuer))
        alg, kid = header.alg, header.kid
        if alg not in trusted.algorithms:
            raise AlgorithmNotAllowed(
                "alg is not allowed", expected=sorted(trusted.algorithms), actual=check.shown(alg)
            )
        keys = self._keys.of(trusted.issuer)
        # The generation is the key's own: a key that disappears meanwhile leaves this result out of date.
        key, generation = keys.find(kid, alg, fetch=fetch)
        try:
            key(signature, signed)
        except BadSignature:
            raise InvalidSignature("signature doesn't verify", alg=alg, kid=check.shown(kid)) from None
        if known is None:
            # Only headers under a good signature are kept, so nobody else can fill this.
            if len(self._headers) >= _HEADERS:
                self._headers = {}
            self._headers[header_segment] = header
        return header, claims, trusted, keys, generation

    def _remember(self, token: str, answer: _Remembered) -> None:
        # Without a lock, which costs more than the rest: threads that remember at the same moment may each leave one
        # token's length uncounted, or drop a generation early. The number of tokens bounds both.
        memo, room = self._memo, self._memo_room - len(token)
        if room < 0 or len(memo) >= MEMO_SIZE:
            self._older_memo, memo, room = memo, {}, MEMO_CHARACTERS - len(token)
            self._memo = memo
        self._memo_room = room
        memo[token] = answer

    def _note_skew(self, seconds: float, issuer: str) -> None:
        if seconds > self._largest_skew:
            self._largest_skew = int(seconds) + 1
            context = {"issuer": Word(issuer), "seconds": round(seconds, 1)}
            _log.info("issuer's clock is ahead", extra={"context": context})


def _id_token_refused(refusal: TokenError) -> IdTokenRefused:
    error = IdTokenRefused(refusal.reason)
    error.private = {"check": type(refusal).__name__, **refusal.private}
    return error
