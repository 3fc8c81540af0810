"""The built-in provider for tests: stores in memory, a clock to turn, and the parameters of a good request."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from tenantgate.crypto.sealing import Sealer
from tenantgate.openid_provider.models import AuthorizationCode, BrowserSession, Client, SigningAlgorithm, StoredKey
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.keys import SigningKeys
from tenantgate.openid_provider.protocol.redirects import RedirectRule
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.service import Provider, ProviderService
from tenantgate.openid_provider.storage.users import DemoUsers

ISSUER = "http://127.0.0.1:3000/idp"
REDIRECT_URI = "http://127.0.0.1:3000/api/v1/auth/callback"
CLIENT_ID = "tenantgate-dev"
CLIENT_SECRET = "a client's secret: ü+%&"
AUDIENCE = "tenantgate-api"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Clock:
    """Time that stands still until a test turns it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryKeys:
    def __init__(self) -> None:
        self.rows: dict[SigningAlgorithm, StoredKey] = {}

    async def load(self) -> list[StoredKey]:
        return list(self.rows.values())

    async def add(self, key: StoredKey) -> None:
        self.rows.setdefault(key.algorithm, key)

    async def remove(self, kid: str) -> None:
        self.rows = {algorithm: key for algorithm, key in self.rows.items() if key.kid != kid}


class MemoryCodes:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], AuthorizationCode] = {}

    async def save(self, code: AuthorizationCode) -> None:
        self.rows[code.tenant_id, code.key] = code

    async def redeem(self, key: str, *, tenant_id: str, client_id: str, now: int) -> AuthorizationCode | None:
        code = self.rows.get((tenant_id, key))
        if code is None or code.client_id != client_id or code.expires_at <= now:
            return None
        return self.rows.pop((tenant_id, key))


class MemoryBrowserSessions:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], BrowserSession] = {}

    async def save(self, session: BrowserSession) -> None:
        self.rows[session.tenant_id, session.key] = session

    async def find(self, key: str, *, tenant_id: str) -> BrowserSession | None:
        return self.rows.get((tenant_id, key))

    async def remove(self, key: str, *, tenant_id: str) -> None:
        self.rows.pop((tenant_id, key), None)


def sealing_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


_KEYS, _SEALER = MemoryKeys(), Sealer([sealing_key()])


@dataclass
class ProviderInMemory:
    """A whole provider without a database; `service` is what the routes would call."""

    algorithm: SigningAlgorithm = "RS256"
    audiences: Sequence[str] = (AUDIENCE,)
    clock: Clock = field(default_factory=Clock)
    codes: MemoryCodes = field(default_factory=MemoryCodes)
    browser_sessions: MemoryBrowserSessions = field(default_factory=MemoryBrowserSessions)
    # One key set for all, since making RSA keys takes its time.
    keys: MemoryKeys = field(default_factory=lambda: _KEYS)
    sealer: Sealer = field(default_factory=lambda: _SEALER)

    def __post_init__(self) -> None:
        rule = RedirectRule(exact=[REDIRECT_URI], origins=["http://localhost:5173"])
        self.client = Client(CLIENT_ID, CLIENT_SECRET, rule, rule, self.algorithm)
        self.signing_keys = SigningKeys(self.keys, sealer=self.open_with, clock=self.clock)
        self.service = ProviderService(
            Provider(
                issuer=ISSUER,
                audiences=self.audiences,
                client=self.client,
                users=DemoUsers(is_development=True),
                codes=self.codes,
                browser_sessions=self.browser_sessions,
                keys=self.signing_keys,
                forms=FormTokens(self.sealer, clock=self.clock),
                clock=self.clock,
            )
        )

    async def open_with(self) -> Sealer:
        return self.sealer


def authorization_request(**changes: str | None) -> Submitted:
    """A good request, with `changes`; None takes a parameter out."""
    values: dict[str, str | None] = {
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "response_type": "code",
        "scope": "openid profile email",
        "state": "the-state",
        "nonce": "the-nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return Submitted({name: value for name, value in values.items() if value is not None})


def token_request(code: str, **changes: str | None) -> Submitted:
    """A good token request for `code`, the client's secret in the form."""
    values: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        **changes,
    }
    return Submitted({name: value for name, value in values.items() if value is not None})


def query_of(location: str | None) -> dict[str, str]:
    """The parameters of a redirect, each of which must come once."""
    assert location is not None
    pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True, strict_parsing=True)
    assert len(pairs) == len(dict(pairs)), pairs
    return dict(pairs)
