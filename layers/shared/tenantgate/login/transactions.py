"""One sign-in attempt: what must be remembered between sending the browser away and its coming back.

It lives sealed in a cookie of the browser that began it, one cookie per attempt, so that several tabs work and nothing
is stored here. The cookie binds the answer to that browser: an attacker's `state` and `code` find no cookie to match
(RFC 6749 §10.12, RFC 9700 §4.7). A completed attempt's cookie is cleared; the code is good once at the provider.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.login.errors import StateMismatch
from tenantgate.login.models import TransactionCookie

# `__Host-`: only our own origin, over TLS, for the whole host can have set it (RFC 6265bis §4.1.3.2).
COOKIE_PREFIX = "__Host-tg_login_"
LIFETIME_SECONDS = 600
MAX_PENDING = 5
# API Gateway takes 10,240 bytes of request line and headers in all.
MAX_PENDING_BYTES = 6000
# 32 random bytes: 43 characters, as RFC 7636 §4.1 advises for the PKCE verifier.
_RANDOM_BYTES = 32
_MAX_STATE_LENGTH = 128
_PURPOSE = "login"
# A name that `clear_cookie` may repeat into the response; those that we set are shorter.
_NAME = re.compile(COOKIE_PREFIX + r"[A-Za-z0-9_-]{1,40}")
# Bounds on what one request can cost, however many cookies of this prefix it carries: attempts opened, and
# `Set-Cookie` headers, which share 10,240 bytes with the rest of the response.
MAX_OPENED = 16
MAX_DROPPED = 8


@dataclass(frozen=True, slots=True)
class LoginTransaction:
    """`expires_at` in epoch seconds; `issuer` is the provider that was asked (mix-up defence, RFC 9700 §4.4)."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    issuer: str
    redirect_uri: str
    return_to: str
    expires_at: int

    @property
    def code_challenge(self) -> str:
        """The S256 challenge (RFC 7636 §4.2)."""
        digest = hashlib.sha256(self.code_verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def transaction_cookie_name(state: str) -> str:
    """The name of the cookie that holds the attempt with this `state`."""
    return COOKIE_PREFIX + hashlib.sha256(state.encode()).hexdigest()[:16]


class Transactions:
    """Begins attempts and finds them again in a request's cookies. `clock` gives epoch seconds."""

    def __init__(self, sealer: Sealer, *, clock: Callable[[], float]) -> None:
        self._sealer = sealer
        self._clock = clock

    def begin(self, *, issuer: str, redirect_uri: str, return_to: str) -> LoginTransaction:
        """A new attempt with fresh random `state`, `nonce` and PKCE verifier."""
        return LoginTransaction(
            state=secrets.token_urlsafe(_RANDOM_BYTES),
            nonce=secrets.token_urlsafe(_RANDOM_BYTES),
            code_verifier=secrets.token_urlsafe(_RANDOM_BYTES),
            issuer=issuer,
            redirect_uri=redirect_uri,
            return_to=return_to,
            expires_at=int(self._clock()) + LIFETIME_SECONDS,
        )

    def cookie(self, transaction: LoginTransaction) -> TransactionCookie:
        """The attempt as the browser keeps it."""
        name = transaction_cookie_name(transaction.state)
        plaintext = json.dumps(asdict(transaction), separators=(",", ":")).encode()
        # Sealed for its name: one attempt's value can't be offered under another's.
        sealed = self._sealer.seal(plaintext, purpose=_PURPOSE, context=name.encode())
        return TransactionCookie(name=name, value=sealed, max_age=LIFETIME_SECONDS)

    def find(self, state: str | None, cookies: Mapping[str, str]) -> LoginTransaction:
        """The live attempt with this `state`; raises `StateMismatch`."""
        if not state or len(state) > _MAX_STATE_LENGTH or not state.isascii():
            raise StateMismatch("state is missing or malformed")
        name = transaction_cookie_name(state)
        if name not in cookies:
            raise StateMismatch("no cookie of this browser has this state (foreign, used or expired)")
        transaction = self._open(name, cookies[name])
        if transaction is None:
            raise StateMismatch("the cookie of this state was not sealed by us, or was changed")
        if not hmac.compare_digest(transaction.state.encode(), state.encode()):
            raise StateMismatch("the cookie holds another state")
        if transaction.expires_at <= self._clock():
            raise StateMismatch("the sign-in took too long")
        return transaction

    def to_drop(self, cookies: Mapping[str, str], *, making_room_for: TransactionCookie) -> tuple[str, ...]:
        """Names of at most `MAX_DROPPED` cookies to clear: the dead ones, then the oldest beyond the limits.

        What is left over goes with the next sign-in.
        """
        now = self._clock()
        living: list[tuple[int, str]] = []
        dropped: list[str] = []
        # Browsers send the oldest cookies first (RFC 6265bis §5.8.3): the newest are those worth opening.
        names = [name for name in cookies if _NAME.fullmatch(name)]
        unopened, newest = names[:-MAX_OPENED], names[-MAX_OPENED:]
        for name in newest:
            transaction = self._open(name, cookies[name])
            if transaction is None or transaction.expires_at <= now:
                dropped.append(name)
            else:
                living.append((transaction.expires_at, name))
        kept_bytes = len(making_room_for.name) + len(making_room_for.value)
        kept = 1
        for _, name in sorted(living, reverse=True):
            kept_bytes += len(name) + len(cookies[name])
            kept += 1
            if kept > MAX_PENDING or kept_bytes > MAX_PENDING_BYTES:
                dropped.append(name)
        return tuple([*dropped, *unopened][:MAX_DROPPED])

    def _open(self, name: str, value: str) -> LoginTransaction | None:
        try:
            return LoginTransaction(**json.loads(self._sealer.open(value, purpose=_PURPOSE, context=name.encode())))
        except (SealBroken, ValueError, TypeError):  # the latter two: sealed by an older version of ours
            return None
