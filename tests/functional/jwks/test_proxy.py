"""Outbound calls through a real proxy: discovery, key sets, the token endpoint and AWS use the same proxy."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.login.provider.client import ProviderClient
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.wiring import token_verifier
from tests.fixtures.servers.certificates import Authority
from tests.fixtures.servers.connect_proxy import ConnectProxy
from tests.fixtures.servers.tls_json import TlsJsonServer
from tests.fixtures.tokens.issuer import good_claims, policy_of, public_jwks, sign

HOST = "issuer.example.test"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    for name in ("https_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ConnectProxy() as running:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{running.place}")
        yield running


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsJsonServer]:
    """Serve as `HOST`, which only the proxy can resolve."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with TlsJsonServer(authority.server(HOST), {"/x?y=z": {"good": True}}) as running:
        yield running


def test_a_fetch_goes_through_the_proxy_and_checks_the_certificate_behind_it(
    proxy: ConnectProxy, server: TlsJsonServer
) -> None:
    assert fetch_json(f"https://{HOST}:{server.port}/x?y=z", timeout=5) == {"good": True}
    assert proxy.targets == [f"{HOST}:{server.port}"]
    assert proxy.authorizations == [None]
    with pytest.raises(ProviderUnreachable) as refusal:
        fetch_json(f"https://other.example.test:{server.port}/x?y=z", timeout=5)
    assert refusal.value.private["failure"] == "SSLCertVerificationError"
    assert server.requests == ["/x?y=z"]


def test_discovery_and_keys_of_a_verifier_go_through_it(proxy: ConnectProxy, server: TlsJsonServer) -> None:
    issuer = f"https://{HOST}:{server.port}"
    server.responses |= {
        "/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/keys"},
        "/keys": public_jwks("rsa-1"),
    }
    token = sign(good_claims(int(time.time()), iss=issuer))
    assert token_verifier(policy_of(oidc_issuer_url=issuer)).verify(token).issuer == issuer
    assert proxy.targets == [f"{HOST}:{server.port}"] * 2


class _Secret:
    async def get(self, name: str) -> str:
        return "s3cr3t"

    def invalidate(self) -> None:
        return


def _userinfo(server: TlsJsonServer) -> object:
    issuer = f"https://{HOST}:{server.port}"
    provider = ProviderMetadata.from_document({"issuer": issuer, "userinfo_endpoint": f"{issuer}/me"})
    client = ProviderClient(ClientRegistration("client-1", ("openid",)), _Secret())
    return asyncio.run(client.userinfo(provider, access_token="opaque", subject="user-1"))


def test_the_providers_client_goes_through_it(proxy: ConnectProxy, server: TlsJsonServer) -> None:
    server.responses["/me"] = {"sub": "user-1"}
    assert _userinfo(server) == {"sub": "user-1"}
    assert proxy.targets == [f"{HOST}:{server.port}"]


def test_user_and_password_reach_the_proxy_only(
    proxy: ConnectProxy, server: TlsJsonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.responses["/me"] = {"sub": "user-1"}
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:w%40rd@{proxy.place}")
    fetch_json(f"https://{HOST}:{server.port}/x?y=z", timeout=5)
    _userinfo(server)
    assert proxy.authorizations == ["Basic " + base64.b64encode(b"me:w@rd").decode()] * 2


def test_an_exception_is_called_directly(
    proxy: ConnectProxy, server: TlsJsonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "example.test")
    with pytest.raises(ProviderUnreachable):
        fetch_json(f"https://{HOST}:{server.port}/x", timeout=2)
    with pytest.raises(ProviderUnreachable):
        _userinfo(server)
    assert not proxy.targets


def test_loopback_is_called_directly(proxy: ConnectProxy, server: TlsJsonServer) -> None:
    with pytest.raises(ProviderUnreachable) as refusal:
        fetch_json(f"https://127.0.0.1:{server.port}/x?y=z", timeout=5)
    assert refusal.value.private["failure"] == "SSLCertVerificationError"
    assert not proxy.targets


@pytest.mark.parametrize(
    "response", [b"HTTP/1.1 407 Who are you, s3cr3t?\r\n\r\n", b"HTTP/1.1 403 No\r\n\r\n", b"HTTP/1.1 502 \r\n\r\n"]
)
def test_a_proxy_that_refuses_is_not_taken_for_the_provider(
    response: bytes, proxy: ConnectProxy, server: TlsJsonServer
) -> None:
    proxy.response = response
    with pytest.raises(ProviderUnreachable, match="the proxy refused") as refusal:
        fetch_json(f"https://{HOST}:{server.port}/x?y=z", timeout=5)
    assert refusal.value.private["actual"] == response[9:12].decode()
    assert "s3cr3t" not in str(refusal.value.private)
    with pytest.raises(ProviderUnreachable):
        _userinfo(server)


@pytest.mark.parametrize("drip", [False, True])
def test_a_slow_proxy_cannot_hold_a_fetch_past_its_time(drip: bool, proxy: ConnectProxy, server: TlsJsonServer) -> None:
    proxy.response = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 if drip else b""
    proxy.drip = drip
    began = time.monotonic()
    with pytest.raises(ProviderTimeout if drip else ProviderUnreachable):
        fetch_json(f"https://{HOST}:{server.port}/x?y=z", timeout=0.5)
    assert time.monotonic() - began < 3


def test_a_malformed_proxy_is_reported_by_its_name(server: TlsJsonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:s3cr3t@proxy.example.test")
    with pytest.raises(ProviderUnreachable) as refusal:
        fetch_json(f"https://{HOST}:{server.port}/x", timeout=2)
    assert refusal.value.private == {"variable": "HTTPS_PROXY"}
    with pytest.raises(ProviderUnreachable) as refusal:
        _userinfo(server)
    assert refusal.value.private == {"variable": "HTTPS_PROXY"}


def test_aws_is_called_through_it_too(proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import ProxyConnectionError  # noqa: PLC0415

    proxy.response = b"HTTP/1.1 503 No\r\n\r\n"
    client = boto3.client(
        "secretsmanager",
        region_name="eu-central-1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="example",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ProxyConnectionError):
        client.get_secret_value(SecretId="any")
    assert proxy.targets == ["secretsmanager.eu-central-1.amazonaws.com:443"]
