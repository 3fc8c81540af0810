"""Fetching from a provider whose responses are slow, huge, wrong or missing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.fetch import MAX_BYTES, fetch_json
from tests.fixtures.providers.issuer_server import IssuerServer, send, send_json


def test_reads_a_json_object(issuer: IssuerServer) -> None:
    assert fetch_json(f"{issuer.url}/jwks", timeout=5) == issuer.jwks


def test_requests_path_and_query_unchanged(issuer: IssuerServer) -> None:
    issuer.custom_response = lambda request: send_json(request, {})
    fetch_json(f"{issuer.url}/a%20b/c?d=e&f", timeout=5)
    fetch_json(issuer.url, timeout=5)
    fetch_json(f"{issuer.url}?appid=1", timeout=5)
    fetch_json(f"{issuer.url}?next=/a", timeout=5)
    assert issuer.requests == ["/a%20b/c?d=e&f", "/", "/?appid=1", "/?next=/a"]


@pytest.mark.parametrize("status", [201, 204, 301, 302, 303, 307, 308, 400, 404, 429, 500, 503])
def test_accepts_only_200_and_follows_no_redirect(status: int, issuer: IssuerServer) -> None:
    def respond(request: BaseHTTPRequestHandler) -> None:
        send(request, status, b"" if status == 204 else b"{}", Location=f"{issuer.url}/elsewhere")

    issuer.custom_response = respond
    with pytest.raises(ProviderUnreachable) as refusal:
        fetch_json(f"{issuer.url}/jwks", timeout=5)
    assert refusal.value.private["actual"] == status
    assert issuer.requests == ["/jwks"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>sign in to the hotel's network</html>", id="html"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"keys":[]', id="cut-off"),
        pytest.param(b'{"keys":[],"keys":[]}', id="a-duplicate-member"),
        pytest.param(b'{"keys":NaN}', id="no-number"),
        pytest.param(b'{"a":' * 50000, id="deep"),
        pytest.param("{}".encode("utf-16"), id="utf-16"),
        pytest.param(b"\xff\xfe{}", id="no-utf-8"),
    ],
)
def test_rejects_everything_except_a_json_object(body: bytes, issuer: IssuerServer) -> None:
    issuer.custom_response = lambda request: send(request, 200, body)
    with pytest.raises(ProviderUnreachable):
        fetch_json(f"{issuer.url}/jwks", timeout=5)


def _endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" " * 65536)


def _endless_chunks(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    while True:
        request.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")


def _endless_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        request.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")


def _announced_too_long(request: BaseHTTPRequestHandler) -> None:
    send(request, 200, b" " * (MAX_BYTES + 1))


def _shorter_than_announced(request: BaseHTTPRequestHandler) -> None:
    send(request, 200, b"{}", Content_Length="100")


@pytest.mark.parametrize(
    "response", [_endless, _endless_chunks, _endless_headers, _announced_too_long, _shorter_than_announced]
)
def test_rejects_a_response_with_a_wrong_end(
    response: Callable[[BaseHTTPRequestHandler], None], issuer: IssuerServer
) -> None:
    issuer.custom_response = response
    with pytest.raises(ProviderUnreachable):
        fetch_json(f"{issuer.url}/jwks", timeout=5)


def _drip(request: BaseHTTPRequestHandler, text: bytes) -> None:
    for byte in text:
        request.wfile.write(bytes([byte]))
        time.sleep(0.02)


def _drip_headers(request: BaseHTTPRequestHandler) -> None:
    _drip(request, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100)


def _drip_body(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    _drip(request, b" " * 1000)


def _drip_after_continue(request: BaseHTTPRequestHandler) -> None:
    _drip(request, b"HTTP/1.1 100 Continue\r\n\r\n" * 40)


@pytest.mark.parametrize("response", [_drip_headers, _drip_body, _drip_after_continue])
def test_a_time_out_is_for_the_whole_exchange_not_for_each_byte(
    response: Callable[[BaseHTTPRequestHandler], None], issuer: IssuerServer
) -> None:
    issuer.custom_response = response
    started = time.monotonic()
    with pytest.raises(ProviderTimeout):
        fetch_json(f"{issuer.url}/jwks", timeout=0.3)
    assert time.monotonic() - started < 2


def test_a_server_that_accepts_and_says_nothing_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ProviderTimeout) as refusal:
        fetch_json(f"http://127.0.0.1:{silent.getsockname()[1]}/jwks", timeout=0.2)
    assert refusal.value.http_status == 504


@contextmanager
def _dead_address() -> Iterator[tuple[str, int]]:
    """Yield the address of a listener with a full queue, which doesn't respond to connection attempts."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filling = opened.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listener.getsockname())
        yield listener.getsockname()


def _resolve_to(addresses: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_addresses_that_do_not_respond_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with _dead_address() as dead:
        _resolve_to([dead] * 8, monkeypatch)
        started = time.monotonic()
        with pytest.raises(ProviderTimeout):
            fetch_json("http://localhost/jwks", timeout=0.5)
        assert time.monotonic() - started < 2


def test_an_address_that_does_not_respond_leaves_time_for_the_next(
    issuer: IssuerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(issuer.url.rpartition(":")[2])
    with _dead_address() as dead:
        _resolve_to([dead, ("127.0.0.1", port)], monkeypatch)
        assert fetch_json("http://localhost/jwks", timeout=2)["keys"]


def test_a_tls_handshake_that_drips_is_a_time_out() -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KB
            while True:
                connection.sendall(b"\x02")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=drip, args=(listener,))
        server.start()
        started = time.monotonic()
        with pytest.raises(ProviderTimeout):
            fetch_json(f"https://127.0.0.1:{listener.getsockname()[1]}/jwks", timeout=0.5)
        assert time.monotonic() - started < 2
        server.join(5)


def test_a_closed_port_is_unreachable_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as soon_closed:
        port = soon_closed.getsockname()[1]
    with pytest.raises(ProviderUnreachable) as refusal:
        fetch_json(f"http://127.0.0.1:{port}/jwks", timeout=5)
    assert type(refusal.value) is ProviderUnreachable
    assert refusal.value.http_status == 502


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example.test/jwks",
        "http://127.0.0.1.example.test/jwks",
        "http://127.0.0.1@example.test/jwks",
        "http://user:word@127.0.0.1/jwks",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "https://",
        "//127.0.0.1/",
        "https://127.0.0.1:port/",
        "http://127.0.0.1:1/\r\nX-Injected: yes",
        "http://127.0.0.1:1/a b",
        "",
    ],
)
def test_fetches_only_https_and_loopback_http(url: str) -> None:
    with pytest.raises(ProviderUnreachable):
        fetch_json(url, timeout=1)


def test_https_checks_the_certificate(issuer: IssuerServer) -> None:
    # Plain HTTP under an https URL: the handshake fails, nothing falls back.
    with pytest.raises(ProviderUnreachable):
        fetch_json(issuer.url.replace("http", "https") + "/jwks", timeout=2)
    assert issuer.requests == []
