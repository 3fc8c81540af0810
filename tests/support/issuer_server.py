"""An issuer on loopback that publishes metadata and keys, and misbehaves as told. One thread for each connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.tokens import public_jwks

type Answer = Callable[[BaseHTTPRequestHandler], None]

METADATA_PATH = "/.well-known/openid-configuration"


class IssuerServer:
    """`jwks` is what /jwks publishes. `answer` replaces its answer; `requests` lists the paths asked for."""

    def __init__(self) -> None:
        self.jwks: Mapping[str, object] = public_jwks("rsa-1")
        self.metadata_changes: dict[str, object] = {}
        self.answer: Answer | None = None
        self.requests: list[str] = []
        self._lock = threading.Lock()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                issuer.respond(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                # A client that hung up is part of these tests.
                return

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def fetches(self, path: str = "/jwks") -> int:
        with self._lock:
            return self.requests.count(path)

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.requests.append(request.path)
            answer = self.answer if request.path != METADATA_PATH else None
        if answer is not None:
            answer(request)
        elif request.path == METADATA_PATH:
            metadata = {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            }
            send_json(request, metadata | self.metadata_changes)
        elif request.path == "/jwks":
            send_json(request, self.jwks)
        else:
            send(request, 404, b"{}")

    @contextmanager
    def running(self) -> Iterator[IssuerServer]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def send_json(request: BaseHTTPRequestHandler, value: Mapping[str, object]) -> None:
    send(request, 200, json.dumps(value).encode())


def send(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **given}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
    request.close_connection = True


def failing(status: int = 503) -> Answer:
    return lambda request: send(request, status, b'{"error":"out of order"}')
