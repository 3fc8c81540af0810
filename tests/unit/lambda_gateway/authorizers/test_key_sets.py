"""The issuers' keys of JWT authorizers: when they are read, how long they are used, and an issuer that fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from lambda_gateway.authorizers.key_sets import HTTP_LIFETIME, KeySet, KeysUnavailable, fetch_json, is_loopback
from tests.fixtures.tokens.issuer import ISSUER, ManualClock, public_jwks

pytestmark = pytest.mark.anyio

DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
KEYS = f"{ISSUER}/keys"


@dataclass
class Issuer:
    """A fake issuer. `documents` has the JSON value or the failure of each URL."""

    documents: dict[str, object] = field(
        default_factory=lambda: {DISCOVERY: {"issuer": ISSUER, "jwks_uri": KEYS}, KEYS: public_jwks("rsa-1")}
    )
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> object:
        self.asked.append(url)
        await asyncio.sleep(0)
        document = self.documents[url]
        if isinstance(document, Exception):
            raise document
        return document


def key_set(issuer: Issuer, clock: ManualClock, *, exact: bool = True) -> KeySet:
    return KeySet(ISSUER, lifetime=HTTP_LIFETIME, exact=exact, fetch=issuer.fetch, clock=clock)


async def test_the_keys_are_read_once_for_many_requests() -> None:
    issuer = Issuer()
    keys = key_set(issuer, ManualClock())
    found = await asyncio.gather(*(keys.key("rsa-1") for _ in range(20)))
    assert all(key is not None and key["kid"] == "rsa-1" for key in found)
    assert issuer.asked == [DISCOVERY, KEYS]


async def test_a_rotated_key_is_found_at_once_and_unknown_ids_cause_no_flood() -> None:
    issuer, clock = Issuer(), ManualClock()
    keys = key_set(issuer, clock)
    await keys.key("rsa-1")
    issuer.documents[KEYS] = public_jwks("rsa-2")
    clock.pass_by(6)
    assert await keys.key("rsa-2") is not None
    # The old key is no longer published.
    for number in range(50):
        assert await keys.key(f"forged-{number}") is None
    assert await keys.key("rsa-1") is None
    assert issuer.asked.count(KEYS) == 2


async def test_a_removed_key_is_used_until_its_lifetime_ends() -> None:
    issuer, clock = Issuer(), ManualClock()
    keys = key_set(issuer, clock)
    await keys.key("rsa-1")
    issuer.documents[KEYS] = public_jwks("rsa-2")
    clock.pass_by(HTTP_LIFETIME - 1)
    assert await keys.key("rsa-1") is not None
    clock.pass_by(1)
    assert await keys.key("rsa-1") is None


@pytest.mark.parametrize(
    ("url", "given", "said"),
    [
        (DISCOVERY, OSError("refused"), "OIDC discovery endpoint communication error"),
        (DISCOVERY, ValueError("no JSON"), "OIDC discovery endpoint communication error"),
        (DISCOVERY, [], "OIDC discovery endpoint communication error"),
        (DISCOVERY, {"issuer": ISSUER}, "OIDC discovery endpoint communication error"),
        (DISCOVERY, {"issuer": "https://x", "jwks_uri": KEYS}, "the discovery document names another issuer"),
        (KEYS, OSError("refused"), "JWKS communication error"),
        (KEYS, {"keys": {}}, "JWKS communication error"),
    ],
)
async def test_an_issuer_that_fails_and_recovers(url: str, given: object, said: str) -> None:
    issuer, clock = Issuer(), ManualClock()
    good, issuer.documents[url] = issuer.documents[url], given
    keys = key_set(issuer, clock)
    failures = await asyncio.gather(*(keys.key("rsa-1") for _ in range(5)), return_exceptions=True)
    assert {str(failure) for failure in failures} == {said}
    assert all(isinstance(failure, KeysUnavailable) for failure in failures)
    assert issuer.asked.count(url) == 1
    issuer.documents[url] = good
    clock.pass_by(1)
    assert await keys.key("rsa-1") is not None


async def test_current_keys_survive_an_issuer_that_fails() -> None:
    issuer, clock = Issuer(), ManualClock()
    keys = key_set(issuer, clock)
    await keys.key("rsa-1")
    issuer.documents[KEYS] = OSError("refused")
    clock.pass_by(HTTP_LIFETIME - 1)
    assert await keys.key("rsa-1") is not None
    clock.pass_by(1)
    with pytest.raises(KeysUnavailable, match="JWKS communication error"):
        await keys.key("rsa-1")


async def test_keys_without_an_id_are_skipped() -> None:
    issuer = Issuer()
    issuer.documents[KEYS] = {"keys": [{"kty": "RSA"}, "x", {"kid": 7}, *public_jwks("rsa-1")["keys"]]}  # type: ignore[misc]
    assert await key_set(issuer, ManualClock()).key("rsa-1") is not None


async def test_another_issuers_document_is_accepted_where_api_gateway_documents_no_check() -> None:
    issuer = Issuer()
    issuer.documents[DISCOVERY] = {"issuer": "https://x", "jwks_uri": KEYS}
    assert await key_set(issuer, ManualClock(), exact=False).key("rsa-1") is not None


@pytest.mark.parametrize("url", ["http://login.example.test/keys", "ftp://login.example.test/", "file:///etc/passwd"])
async def test_other_machines_need_tls(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        await fetch_json(url)


async def test_a_slow_issuer_on_this_machine_is_waited_for() -> None:
    """The issuer has just started, or the machine is busy."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(2)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await fetch_json(f"http://127.0.0.1:{port}/keys") == {}


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("idp.localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("login.example.test", False),
        ("localhost.example.test", False),
        ("10.0.0.1", False),
        (None, False),
    ],
)
def test_names_of_this_machine(host: str | None, local: bool) -> None:
    assert is_loopback(host) is local
