"""The verifier of JWTs: signature, then kind, times, issuer, audience and subject (RFC 7519, RFC 8725, RFC 9068).

Synchronous, and without I/O while the key is in memory. Only signed claims are trusted: before the signature is
checked, the token only chooses which trusted issuer's keys to try.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tenantgate.errors.base import Word
from tenantgate.errors.tokens import IdTokenRefused, TokenError, WrongIssuer
from tenantgate.tokens.access_token import check_audience, check_kind, read_scopes, read_subject
from tenantgate.tokens.claims import VerifiedToken, check_expiry, check_times, verified_token
from tenantgate.tokens.keys import KeyFetchNeeded
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.signatures import TrustedIssuer, signed_token, signing_kid

if TYPE_CHECKING:
    from tenantgate.tokens.jws import Header
    from tenantgate.tokens.key_source import IssuerKeys, KeySource
    from tenantgate.tokens.logout_token import LogoutToken
    from tenantgate.tokens.security_event import SecurityEvent

__all__ = ["KeyFetchNeeded", "TokenVerifier", "VerifiedToken"]

_log = logging.getLogger(__name__)

# Two generations of the memo: at most twice as much is held, and one look-up finds a recent token. The tokens' length
# is bounded, too: an issuer chooses their content, and a list of short words takes 30 times its text in memory.
MEMO_SIZE = 512
MEMO_CHARACTERS = 512 * 1024

# A plain tuple, because making a record costs a hundredth of the signature.
type _Remembered = tuple[VerifiedToken, float, int, IssuerKeys, int]
"""The result, the seconds from which and until which it holds, the issuer's keys, and their generation."""


class TokenVerifier:
    """Verifies tokens of the issuers in `policy` by the keys that `keys` holds. Safe to share between threads."""

    def __init__(self, policy: TokenPolicy, keys: KeySource, *, clock: Callable[[], float] = time.time) -> None:
        self._issuers = {issuer.issuer: TrustedIssuer(issuer, keys.of(issuer.issuer)) for issuer in policy.issuers}
        self._login_issuer = policy.issuers[0].issuer
        self._longest = policy.max_lifetime_seconds
        self._leeway = policy.leeway_seconds
        self._clock = clock
        self._headers: dict[bytes, Header] = {}
        self._memo: dict[str, _Remembered] = {}
        self._older_memo: dict[str, _Remembered] = {}
        self._memo_room = MEMO_CHARACTERS
        self._largest_skew = 0

    def verify(self, token: str, *, fetch: bool = True, allow_expired: bool = False) -> VerifiedToken:
        """Check an access token; raises the `TokenError` of the first check of `ACCESS_TOKEN_STEPS` that fails.

        Without `fetch`, raises `KeyFetchNeeded` when only a fetch from the issuer could tell. `ProviderUnreachable`
        means that no usable key is held and the issuer doesn't respond. `allow_expired` is for signing out.
        """
        now = self._clock()
        remembered = self._memo.get(token) or self._older_memo.get(token)
        if remembered is not None:
            verified, valid_from, valid_until, keys, generation = remembered
            held = keys.held
            if valid_from <= now < valid_until and generation == held.generation and now < held.tend_at:
                return verified
        leeway, longest = self._leeway, self._longest
        header, claims, issuer, generation = signed_token(token, self._issuers, self._headers, now, fetch)
        check_kind(claims, header, issuer)
        issued_at, expires_at, valid_from = check_times(claims, now, leeway, longest)
        check_audience(claims, issuer)
        user_id, token_id = read_subject(claims, issuer)
        scopes = read_scopes(claims, issuer)
        kid = signing_kid(header, issuer)
        verified = verified_token(
            issuer.issuer, user_id, issued_at, expires_at, scopes, MappingProxyType(claims), token_id, kid
        )
        if not allow_expired:
            check_expiry(expires_at, now, leeway)
            self._remember(token, (verified, valid_from, expires_at + leeway, issuer.keys, generation))
        if issued_at > now:
            self._note_skew(issued_at - now, issuer.issuer)
        return verified

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

        `nonce` is compared unless None; `at_hash` and `c_hash`, when present, with `access_token` and `code`. `issuer`
        is the provider that the sign-in was sent to, by default that of `OIDC_ISSUER_URL`.
        """
        from tenantgate.tokens.id_token import check_id_token  # noqa: PLC0415

        now = self._clock()
        expected = issuer or self._login_issuer
        try:
            header, claims, trusted, _ = signed_token(token, self._issuers, self._headers, now, fetch)
            if trusted.issuer != expected:
                raise WrongIssuer("iss is another provider", expected=expected)
            return check_id_token(
                claims,
                header,
                kid=signing_kid(header, trusted),
                client_id=client_id,
                nonce=nonce,
                access_token=access_token,
                code=code,
                now=now,
                leeway=self._leeway,
                allow_expired=allow_expired,
            )
        except TokenError as rejection:
            raise IdTokenRefused.of(rejection) from rejection
        except KeyFetchNeeded as needed:
            if isinstance(needed.failure, TokenError):
                needed.failure = IdTokenRefused.of(needed.failure)
            raise

    def verify_logout_token(self, token: str, *, client_id: str, fetch: bool = True) -> LogoutToken:
        """Check a logout token of the login provider (OpenID Connect Back-Channel Logout §2.6).

        Raises the `TokenError` of the first check that fails, and without `fetch` what `verify` raises.
        """
        from tenantgate.tokens.logout_token import check_logout_token  # noqa: PLC0415

        now = self._clock()
        header, claims, trusted, _ = signed_token(token, self._issuers, self._headers, now, fetch)
        if trusted.issuer != self._login_issuer:
            # Sessions belong to the login provider: another trusted issuer must not end them.
            raise WrongIssuer("iss is another provider", expected=self._login_issuer)
        kid = signing_kid(header, trusted)
        return check_logout_token(claims, header, kid=kid, client_id=client_id, now=now, leeway=self._leeway)

    def verify_security_event(
        self, token: str, *, audiences: Mapping[str, Collection[str]], fetch: bool = True
    ) -> SecurityEvent:
        """Check a security event token (RFC 8417). `audiences`: ours at each issuer that may send events.

        Raises the `TokenError` of the first check that fails, and without `fetch` what `verify` raises.
        """
        from tenantgate.tokens.security_event import check_security_event  # noqa: PLC0415

        now = self._clock()
        header, claims, trusted, _ = signed_token(token, self._issuers, self._headers, now, fetch)
        if trusted.issuer not in audiences:
            raise WrongIssuer("iss sends no security events", expected=sorted(audiences), actual=trusted.issuer)
        kid, ours = signing_kid(header, trusted), audiences[trusted.issuer]
        return check_security_event(claims, header, kid=kid, audiences=ours, now=now, leeway=self._leeway)

    def _remember(self, token: str, remembered: _Remembered) -> None:
        # Without a lock, which costs more than the rest: threads that remember at the same moment may each leave one
        # token's length uncounted, or drop a generation early. The number of tokens bounds both.
        memo, room = self._memo, self._memo_room - len(token)
        if room < 0 or len(memo) >= MEMO_SIZE:
            self._older_memo, memo, room = memo, {}, MEMO_CHARACTERS - len(token)
            self._memo = memo
        self._memo_room = room
        memo[token] = remembered

    def _note_skew(self, seconds: float, issuer: str) -> None:
        if seconds > self._largest_skew:
            self._largest_skew = int(seconds) + 1
            context = {"issuer": Word(issuer), "seconds": round(seconds, 1)}
            _log.info("issuer's clock is ahead", extra={"context": context})
