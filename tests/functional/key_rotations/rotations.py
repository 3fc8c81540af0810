"""Signing-key rotations of an issuer while clients send its tokens, and the removal of a leaked key.

The key set takes a while to come, so that a rotation often finds a fetch of the earlier key set pending.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import httpx2

from tenantgate_cli.paths import ROOT
from tests.fixtures.authorizer.handler_process import me_event
from tests.fixtures.faults.fault import Fault
from tests.fixtures.faults.stack import FaultStack
from tests.fixtures.providers.misbehaving import CLIENT_ID, SigningKey, ec_key, rsa_key, signed

# `published first`: the new key is published for longer than a key set is used, and then signs. `just before signing`:
# the first token by the new key comes before anything else is known of it (the module of this name of the OpenID
# Foundation's conformance suite).
type Kind = Literal["published first", "just before signing"]
type Door = Literal["container", "authorizer"]
type Ask = Callable[[str], bool]

# The stack's `JWKS_CACHE_TTL_SECONDS` is 1.
PUBLISHED_SECONDS = 2.0
SLOW_KEYS = Fault(latency=0.05, jitter=0.03)
_CLIENTS = 3
_PAUSE_SECONDS = 0.005
_FORGED_EVERY = 10
_names = itertools.count(1)


class Judged(NamedTuple):
    """`expected`: the token should be accepted. `seconds`: the time until the decision."""

    door: Door
    kid: str
    expected: bool
    accepted: bool
    seconds: float


@dataclass
class Load:
    """Clients that send new tokens by the current key to both doors, and forged ones in between.

    `failure`: why a client has ended.
    """

    stack: FaultStack
    judged: list[Judged] = field(default_factory=list)
    failure: BaseException | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Keep the clients for the block. Raises the failure of a client."""
        with ThreadPoolExecutor(_CLIENTS + 1) as pool, ExitStack() as open_:
            doors: list[tuple[Door, Ask]] = [
                *(("container", container_door(self.stack, open_)) for _ in range(_CLIENTS)),
                ("authorizer", authorizer_door(self.stack)),
            ]
            clients = [pool.submit(self._send, door, ask) for door, ask in doors]
            try:
                yield self
            finally:
                self._ended.set()
            for client in clients:
                client.result()

    def wait_for(self, key: SigningKey) -> None:
        """Wait until both doors have judged several tokens by this key."""
        ends = time.monotonic() + 20
        while not all(self._count(door, key) >= _FORGED_EVERY + 1 for door in ("container", "authorizer")):
            assert time.monotonic() < ends, f"no tokens by {key.kid} were judged"
            time.sleep(0.02)

    def _count(self, door: str, key: SigningKey) -> int:
        return sum(one.door == door and one.kid == key.kid for one in self.judged[-5000:])

    def _send(self, door: Door, ask: Ask) -> None:
        provider = self.stack.provider
        for number in itertools.count():
            if self._ended.wait(_PAUSE_SECONDS):
                return
            forged = number % _FORGED_EVERY == _FORGED_EVERY - 1
            key = provider.key
            token = access_token(self.stack, key, forged_by=_UNPUBLISHED[key.alg] if forged else None)
            began = time.monotonic()
            accepted = ask(token)
            self.judged.append(Judged(door, str(key.kid), not forged, accepted, time.monotonic() - began))

    def wrong(self) -> list[str]:
        """Return the decisions that are not as stated: each token by a published key is accepted, and no other."""
        return [
            f"{one.door}: a token by {one.kid} was {'accepted' if one.accepted else 'refused'}"
            for one in self.judged
            if one.accepted is not one.expected
        ]


def container_door(stack: FaultStack, open_: ExitStack) -> Ask:
    """Return a client of the container's own verification, with one kept connection."""
    http = open_.enter_context(httpx2.Client(timeout=30, trust_env=False))

    def ask(token: str) -> bool:
        url = f"{stack.container.url}/api/v1/auth/validate"
        response = http.get(url, headers={"authorization": f"Bearer {token}"})
        assert response.status_code in {200, 401}, response.text
        return response.status_code == 200

    return ask


def authorizer_door(stack: FaultStack) -> Ask:
    """Return a client of the authorizer, which decides on one request at a time."""

    def ask(token: str) -> bool:
        response = stack.authorizer.ask(me_event(f"Bearer {token}"))
        assert "AuthorizerFailed" not in str(response), response
        return response.get("isAuthorized") is True

    return ask


# Never published, under the names of keys that are.
_UNPUBLISHED = {"ES256": ec_key("unpublished"), "RS256": rsa_key("unpublished")}


def access_token(stack: FaultStack, key: SigningKey, *, forged_by: SigningKey | None = None) -> str:
    """Sign a new access token. `forged_by`: another key, whose token names the first one."""
    now = int(time.time())
    claims = {
        "iss": stack.provider.issuer,
        "sub": "user-1",
        "aud": stack.provider.audience,
        "client_id": CLIENT_ID,
        "iat": now,
        "exp": now + 600,
        "jti": f"{next(_names)}",
        "scope": "openid",
        "tenant_id": "org-3f0c2f5e-7f6b-4c59-9d0a-0f2f4b1b7c11",
    }
    return signed(claims, forged_by or key, typ="at+jwt", kid=key.kid)


def new_key() -> SigningKey:
    """Return a key that no other rotation uses; every fifth is an RSA key, which takes longer to make."""
    number = next(_names)
    return (ec_key if number % 5 else rsa_key)(f"key-{number}")


def rotate(stack: FaultStack, kind: Kind) -> SigningKey:
    """Let the issuer sign with a new key. The one before stays published until the next rotation."""
    provider, key = stack.provider, new_key()
    provider.published = [provider.key.jwk, key.jwk]
    if kind == "published first":
        time.sleep(PUBLISHED_SECONDS)
    provider.key = key
    return key


class Removal(NamedTuple):
    """Seconds from the moment of a removal until the last token by that key was accepted, for each door."""

    container: float
    authorizer: float

    @property
    def longest(self) -> float:
        return max(self)


def withdraw(stack: FaultStack) -> Removal:
    """Replace the current key at the issuer, and don't publish it any longer. No token by the new one is sent."""
    leaked, key = stack.provider.key, new_key()

    def remove() -> None:
        stack.provider.published, stack.provider.key = [key.jwk], key

    return _removal(stack, leaked, remove)


def revoke(stack: FaultStack, database_url: str, redis_url: str) -> tuple[Removal, float]:
    """Revoke the current key by `tenantgate revoke kid`, and then let the issuer sign with another one.

    Returns the removal, counted from the end of the command, and the seconds that the command took.
    """
    leaked, took = stack.provider.key, 0.0

    def remove() -> None:
        nonlocal took
        began = time.monotonic()
        _run_command(stack, leaked, database_url, redis_url)
        took = time.monotonic() - began

    removal = _removal(stack, leaked, remove)
    # It is published all the time.
    rotate(stack, "published first")
    return removal, took


def _run_command(stack: FaultStack, key: SigningKey, database_url: str, redis_url: str) -> None:
    program = "from tenantgate_cli.main import app; app()"
    environment = {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "development",
        "OIDC_ISSUER_URL": stack.provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_AUDIENCE": stack.provider.audience,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }
    python = Path(ROOT) / ".venv" / "bin" / "python"
    subprocess.run(
        [str(python), "-c", program, "revoke", "kid", str(key.kid), "--issuer", stack.provider.issuer],
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )


def _removal(stack: FaultStack, leaked: SigningKey, remove: Callable[[], None]) -> Removal:
    """Send tokens by a leaked key to both doors until both refuse them, also once more a second later."""
    ended = threading.Event()
    last = {"container": 0.0, "authorizer": 0.0}
    refused = {"container": 0, "authorizer": 0}

    def send(door: Door, ask: Ask) -> None:
        while not ended.is_set():
            if ask(access_token(stack, leaked)):
                last[door], refused[door] = time.monotonic(), 0
            else:
                refused[door] += 1
            time.sleep(0.02)

    with ThreadPoolExecutor(2) as pool, ExitStack() as open_:
        clients = [
            pool.submit(send, "container", container_door(stack, open_)),
            pool.submit(send, "authorizer", authorizer_door(stack)),
        ]
        try:
            time.sleep(0.5)
            assert all(last.values()), "the key was refused before its removal"
            remove()
            removed = time.monotonic()
            while min(refused.values()) < 40:
                assert time.monotonic() - removed < 90, f"still accepted: {refused}"
                time.sleep(0.02)
        finally:
            ended.set()
        for client in clients:
            client.result()
    return Removal(max(0.0, last["container"] - removed), max(0.0, last["authorizer"] - removed))
