"""IAM database authentication: a token instead of the password, which only the endpoint may see.

The server is a stand-in that speaks PostgreSQL's protocol 3.0 as far as a login goes, with real TLS, under an
endpoint's name that leads to loopback.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tenantgate.aws import rds
from tenantgate.database import tls
from tenantgate.database.connection import connect
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.rds_login import rds_login
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.servers.certificates import Authority

pytestmark = pytest.mark.anyio

ENDPOINT = "gate.proxy-c1a2b3d4e5f6.eu-central-1.rds.amazonaws.com"
CLUSTER = "gate.cluster-c1a2b3d4e5f6.eu-central-1.rds.amazonaws.com"


@dataclass
class Login:
    """The login data that the stand-in received."""

    port: int = 0
    passwords: list[str] = field(default_factory=list)
    in_clear: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def endpoint(context: SSLContext | None) -> AsyncIterator[Login]:
    """A server that takes every password; without TLS if there is no `context`."""
    login = Login()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)  # SSLRequest
            if context is None:
                writer.write(b"N")
                login.in_clear.append(await reader.read())
                return
            writer.write(b"S")
            await writer.start_tls(context)
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            await reader.readexactly(length - 4)  # StartupMessage
            writer.write(message(b"R", struct.pack("!i", 3)))  # AuthenticationCleartextPassword, as RDS asks for tokens
            _, length = struct.unpack("!ci", await reader.readexactly(5))
            login.passwords.append((await reader.readexactly(length - 4)).rstrip(b"\0").decode())
            writer.write(message(b"R", struct.pack("!i", 0)))
            for name, value in (("server_version", "16.4"), ("client_encoding", "UTF8")):
                writer.write(message(b"S", f"{name}\0{value}\0".encode()))
            writer.write(message(b"K", struct.pack("!ii", 1, 1)) + message(b"Z", b"I"))
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        login.port = server.sockets[0].getsockname()[1]
        yield login


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def own_contexts() -> Iterator[None]:
    """No context of another test's authorities."""
    tls._context.cache_clear()
    yield
    tls._context.cache_clear()


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's credentials, and the endpoint's name on loopback."""
    rds.signer.cache_clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    look_up: Callable[..., Any] = socket.getaddrinfo

    def on_loopback(host: str, *others: Any, **named: Any) -> Any:
        return look_up("127.0.0.1" if host in (ENDPOINT, CLUSTER) else host, *others, **named)

    monkeypatch.setattr(socket, "getaddrinfo", on_loopback)


def url(login: Login, **query: object) -> str:
    written = "&".join(f"{name}={value}" for name, value in query.items())
    return f"postgresql+asyncpg://tenantgate%5Fapp@{ENDPOINT}:{login.port}/tenantgate?{written}"


async def test_a_token_of_the_role_takes_the_password_s_place(authority: Authority) -> None:
    async with endpoint(authority.server(ENDPOINT)) as login:
        connection = await connect(url(login, sslrootcert=authority.file))
        connection.terminate()

    (token,) = login.passwords
    signed = urlsplit(f"//{token}")
    assert (signed.hostname, signed.port) == (ENDPOINT, login.port)
    said = {name: value for name, (value,) in parse_qs(signed.query).items()}
    assert (said["Action"], said["DBUser"], said["X-Amz-Expires"]) == ("connect", "tenantgate_app", "900")
    assert said["X-Amz-Credential"].startswith("AKIAEXAMPLE/")
    assert said["X-Amz-Credential"].endswith("/eu-central-1/rds-db/aws4_request")


async def test_each_connection_requests_its_own_token(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["first", "second"])
    monkeypatch.setattr("tenantgate.database.rds_login.database_token", lambda *_, **__: next(tokens))
    async with endpoint(authority.server(ENDPOINT)) as login:
        for _ in range(2):
            (await connect(url(login, sslrootcert=authority.file))).terminate()

    assert login.passwords == ["first", "second"]


async def test_a_server_without_tls_gets_no_token(authority: Authority) -> None:
    async with endpoint(None) as login:
        with pytest.raises(OSError, match="SSL"):
            await connect(url(login, sslrootcert=authority.file))

    assert set(login.in_clear) == {b""}


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
async def test_a_cluster_is_verified_by_the_shipped_authorities_of_its_region(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    shipped = tmp_path / "shipped.pem"
    shipped.write_text(f"head\n\nAmazon RDS {region} Root CA ECC384 G1\n{authority.file.read_text()}")
    monkeypatch.setattr("tenantgate.database.rds_authorities._FILE", shipped)
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    async with endpoint(authority.server(CLUSTER)) as login:
        there = url(login).replace(ENDPOINT, CLUSTER)
        if region == "eu-central-1":
            (await connect(there)).terminate()
        else:
            with pytest.raises(OSError, match="certificate verify failed"):
                await connect(there)

    assert len(login.passwords) == (region == "eu-central-1")


@pytest.mark.parametrize("wrong", ["name", "authority"])
async def test_a_server_with_a_wrong_certificate_gets_no_token(authority: Authority, wrong: str) -> None:
    context = authority.server("another.example.test" if wrong == "name" else ENDPOINT)
    trusted = {"sslrootcert": authority.file} if wrong == "name" else {}
    async with endpoint(context) as login:
        with pytest.raises(OSError, match="certificate verify failed"):
            await connect(url(login, **trusted))

    assert login.passwords == []


async def test_without_credentials_the_database_is_unreachable_and_the_log_says_why(
    authority: Authority, kind: Kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    async with endpoint(authority.server(ENDPOINT)) as login:
        database = kind(url(login, sslrootcert=authority.file))
        try:
            with pytest.raises(DatabaseUnreachable) as unreachable:
                async with database.untenanted():
                    pass
        finally:
            await database.dispose()

    assert "no IAM token for the database: NoCredentialsError" in str(unreachable.value.private)
    assert login.passwords == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"postgresql://app:password@{ENDPOINT}/name", id="password"),
        pytest.param("postgresql://app@db.example.com/name", id="another-host"),
        pytest.param(f"postgresql://app@{ENDPOINT}.example.com/name", id="endpoint-as-subdomain"),
        pytest.param(f"postgresql://{ENDPOINT}/name", id="no-user"),
    ],
)
async def test_only_the_endpoint_gets_a_token(text: str) -> None:
    assert await rds_login(text) == {}


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("db.c1a2.eu-central-1.rds.amazonaws.com", "eu-central-1"),
        ("DB.cluster-ro-c1a2.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("db.c1a2.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"),
        ("rds.amazonaws.com", None),
        ("db.c1a2.eu-central-1.rds.amazonaws.com.evil.test", None),
        ("db.c1a2.eu-central-1.rds.amazonaws.com\n", None),
        (None, None),
    ],
)
def test_an_endpoint_tells_its_region(host: str | None, region: str | None) -> None:
    assert rds.rds_region(host) == region
