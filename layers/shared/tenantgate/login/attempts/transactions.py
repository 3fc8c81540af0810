"""One sign-in attempt: its state from the redirect to the provider until the provider's response.

A sealed cookie of the browser that began the attempt holds it, one cookie per attempt. So several tabs work, and the
server stores nothing. The cookie binds the response to that browser: an attacker's `state` and `code` match no cookie
(RFC 6749 §10.12, RFC 9700 §4.7). A completed attempt's cookie is cleared, and the provider accepts a code once.
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

# `__Host-`: only this host can have set the cookie, over TLS and for all paths (RFC 6265bis §4.1.3.2).
COOKIE_PREFIX = "__Host-tg_login_"
LIFETIME_SECONDS = 600
MAX_PENDING = 5
# API Gateway accepts 10,240 bytes for the request line and all headers.
MAX_PENDING_BYTES = 6000
# 32 random bytes are 43 characters, as RFC 7636 §4.1 recommends for the PKCE verifier.
_RANDOM_BYTES = 32
_MAX_STATE_LENGTH = 128
_PURPOSE = "login"
# The names that `clear_cookie` may repeat in a response. Those that the product sets are shorter.
_NAME = re.compile(COOKIE_PREFIX + r"[A-Za-z0-9_-]{1,40}")
# Limits for a request with any number of cookies of this prefix: attempts to open, and `Set-Cookie` headers, which
# share 10,240 bytes with the rest of the response.
MAX_OPENED = 16
MAX_DROPPED = 8


@dataclass(frozen=True, slots=True)
class LoginTransaction:
    """An attempt. `expires_at`: epoch seconds. `issuer`: its provider (mix-up defense, RFC 9700 §4.4)."""

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
    """Return the name of the cookie that holds the attempt with this `state`."""
    return COOKIE_PREFIX + hashlib.sha256(state.encode()).hexdigest()[:16]


class Transactions:
    """Begins attempts, and finds them in a request's cookies. `clock` gives epoch seconds."""

    def __init__(self, sealer: Sealer, *, clock: Callable[[], float]) -> None:
        self._sealer = sealer
        self._clock = clock

    def begin(self, *, issuer: str, redirect_uri: str, return_to: str) -> LoginTransaction:
        """Create an attempt with a new random `state`, `nonce` and PKCE verifier."""
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
        """Seal the attempt into a cookie."""
        name = transaction_cookie_name(transaction.state)
        plaintext = json.dumps(asdict(transaction), separators=(",", ":")).encode()
        # Sealed for the cookie's name, so that the value of one attempt can't be sent as another's.
        sealed = self._sealer.seal(plaintext, purpose=_PURPOSE, context=name.encode())
        return TransactionCookie(name=name, value=sealed, max_age=LIFETIME_SECONDS)

    def find(self, state: str | None, cookies: Mapping[str, str]) -> LoginTransaction:
        """Return the valid attempt with this `state`. Raises `StateMismatch`."""
        if not state or len(state) > _MAX_STATE_LENGTH or not state.isascii():
            raise StateMismatch("state is missing or malformed")
        name = transaction_cookie_name(state)
        if name not in cookies:
            raise StateMismatch("no cookie of this browser has this state (foreign, used or expired)")
        transaction = self._open(name, cookies[name])
        if transaction is None:
            raise StateMismatch("the cookie of this state was not sealed here, or was changed")
        if not hmac.compare_digest(transaction.state.encode(), state.encode()):
            raise StateMismatch("the cookie holds another state")
        if transaction.expires_at <= self._clock():
            raise StateMismatch("the sign-in took too long")
        return transaction

    def to_drop(self, cookies: Mapping[str, str], *, making_room_for: TransactionCookie) -> tuple[str, ...]:
        """Return the names of at most `MAX_DROPPED` cookies to clear: invalid ones, then the oldest beyond the limits.

        The next sign-in clears the rest.
        """
        now = self._clock()
        valid: list[tuple[int, str]] = []
        dropped: list[str] = []
        # Browsers send the oldest cookies first (RFC 6265bis §5.8.3). So open only the newest.
        names = [name for name in cookies if _NAME.fullmatch(name)]
        unopened, newest = names[:-MAX_OPENED], names[-MAX_OPENED:]
        for name in newest:
            transaction = self._open(name, cookies[name])
            if transaction is None or transaction.expires_at <= now:
                dropped.append(name)
            else:
                valid.append((transaction.expires_at, name))
        kept_bytes = len(making_room_for.name) + len(making_room_for.value)
        kept = 1
        for _, name in sorted(valid, reverse=True):
            kept_bytes += len(name) + len(cookies[name])
            kept += 1
            if kept > MAX_PENDING or kept_bytes > MAX_PENDING_BYTES:
                dropped.append(name)
        return tuple([*dropped, *unopened][:MAX_DROPPED])

    def _open(self, name: str, value: str) -> LoginTransaction | None:
        try:
            return LoginTransaction(**json.loads(self._sealer.open(value, purpose=_PURPOSE, context=name.encode())))
        except (SealBroken, ValueError, TypeError):  # the latter two: sealed by an older version
            return None
