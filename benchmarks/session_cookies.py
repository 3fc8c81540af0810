"""Valkey for the benchmarks of the authorizer, plain and behind TLS; and the times of warm decisions.

    python -m benchmarks.session_cookies

The list of revocations has 1,000 entries. The cold starts are part of `benchmarks.cold_start`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks import peers, verify
from benchmarks.stand_ins import TENANT
from lambda_gateway.model import FunctionSpec
from tenantgate.authorizer.environment import cookie_caller, late_valkey
from tenantgate.authorizer.service import Authorizer
from tenantgate.crypto.opaque import OpaqueKind
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import SessionEntry, session_keys
from tenantgate.revoked.names import NAME_BYTES
from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY, Snapshot
from tenantgate.route_rules.file import load_rules
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey

_CALLS = 2000
_ENTRIES = 1000
_RULES = 'version = 1\n[[api]]\nname = "own"\nids = ["*"]\n[[api.route]]\nroute = "GET /api/v1/auth/me"\n'

PLAIN, TLS = "authorizer with Valkey", "authorizer with Valkey over TLS"


@dataclass(frozen=True)
class ValkeyAddresses:
    """The values of `REDIS_URL`: for a plain connection, and for one whose server is verified."""

    plain: str
    tls: str

    def authorizers(self, authorizer: FunctionSpec) -> dict[str, FunctionSpec]:
        """Return the function by the name of its connection."""
        urls = {PLAIN: self.plain, TLS: self.tls}
        return {
            name: replace(authorizer, name=name, env={**authorizer.env, "REDIS_URL": url}) for name, url in urls.items()
        }

    def cookie(self) -> str:
        """Start a session as web functions write it, and return its cookie. Its use is marked already."""
        now = int(time.time())
        entry = SessionEntry(
            session_id="0192f5a8-0000-7d3a-9b52-3f6f0c1d2e4b",
            tenant_id=TENANT,
            user_id="user-1",
            issuer="https://issuer.example.test/",
            csrf_token="t" * 43,
            scopes=("openid", "profile"),
            roles=(),
            amr=("pwd",),
            acr=None,
            auth_time=now,
            provider_auth_time=None,
            expires_at=now + 36_000,
            idle_seconds=1800,
            last_used_at=now,
            fresh_until=now + 300,
            version=1,
        )
        secret = OpaqueKind(digests_random_part_only=True).issue(TENANT)
        with redis.Redis.from_url(self.plain) as client:
            client.set(session_keys(TENANT, secret.digest).entry, entry.to_json(), ex=300)
            client.mset(_revocations())
        return f"{SESSION_COOKIE}={secret.text}"

    def publish(self) -> None:
        """Publish the list of revocations, which counts for four seconds."""
        with redis.Redis.from_url(self.plain) as client:
            client.mset(_revocations())


def _revocations() -> dict[str, bytes]:
    """Return the values of a list of revocations that PostgreSQL would have now."""
    names = [number.to_bytes(NAME_BYTES) for number in range(_ENTRIES)]
    until = dict.fromkeys(names[::2], int(time.time()))
    current = Snapshot(1, frozenset(names[1::2]), until, frozenset(), None, {})
    return {HEAD_KEY: current.head(int(time.time() * 1000)).to_json(), BODY_KEY: current.to_json()}


@asynccontextmanager
async def running_valkey(folder: Path) -> AsyncIterator[ValkeyAddresses]:
    """Run Valkey, and a front that ends TLS before it: the embedded one has none."""
    with EmbeddedValkey(folder / "valkey") as valkey:
        plain = valkey.start()
        place = urlsplit(plain)
        host, port = place.hostname or "", place.port or 0
        certificate = folder / "valkey.pem"
        server = await asyncio.start_server(
            lambda reader, writer: _serve(reader, writer, host, port), "127.0.0.1", 0, ssl=_context(certificate)
        )
        own = server.sockets[0].getsockname()[1]
        login = place.netloc.rpartition("@")[0]
        authorities = quote(str(certificate), safe="")
        try:
            yield ValkeyAddresses(plain, f"rediss://{login}@localhost:{own}/0?ssl_ca_certs={authorities}")
        finally:
            server.close()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    server_reader, server_writer = await asyncio.open_connection(host, port)
    try:
        await asyncio.gather(_pass_on(reader, server_writer), _pass_on(server_reader, writer))
    except OSError:
        # A function's process that ended closes its connection in any way.
        return
    finally:
        server_writer.close()
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def _context(file: Path) -> ssl.SSLContext:
    """Return the context of a server for `localhost`; `file` gets its certificate, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, encipher_only=False, decipher_only=False, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def warm_decisions(valkey: ValkeyAddresses, url: str) -> dict[str, float]:
    """Return the median times of decisions over a kept connection, in microseconds. The token is remembered."""
    late = late_valkey({"REDIS_URL": url})
    assert late is not None
    rules, algorithm = load_rules(_RULES), verify.all_algorithms()["RS256"]
    jwks: dict[str, object] = {"keys": [algorithm.jwk | {"kid": "RS256", "use": "sig"}]}
    by_token = peers.authorizer_event(authorization=f"Bearer {verify.new_token('RS256', algorithm, 1)}")
    by_cookie = peers.authorizer_event(cookie=valkey.cookie())
    cookies = Authorizer(Credentials(), rules, cookie_caller=cookie_caller({}, valkey=late))
    times = {"session cookie": _median(valkey, cookies, by_cookie)}
    for name, revocations in (("token", lambda: late().revocations()), ("token, without revocations", None)):
        credential = BearerCredential(verify.new_verifier(jwks), verify.POLICY, revocations=revocations)
        times[name] = _median(valkey, Authorizer(Credentials(credential), rules), by_token)
    return times


def _median(valkey: ValkeyAddresses, authorizer: Authorizer, event: dict[str, Any]) -> float:
    valkey.publish()
    taken = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        response = authorizer.decide(event)
        taken.append(time.perf_counter() - began)
        if response["isAuthorized"] is not True:
            raise SystemExit(f"expected an allowed request, got {response}")
    return statistics.median(taken) * 1e6


async def _main() -> None:
    with tempfile.TemporaryDirectory() as name:
        async with running_valkey(Path(name)) as valkey:
            for kind, url in (("plain", valkey.plain), ("TLS", valkey.tls)):
                # In a thread: the front that ends TLS runs on this event loop.
                for decision, median in (await asyncio.to_thread(warm_decisions, valkey, url)).items():
                    sys.stdout.write(f"{kind}: {decision}: {median:.0f} µs\n")


if __name__ == "__main__":
    asyncio.run(_main())
