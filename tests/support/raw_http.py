"""A client of one connection that sends what it likes, as slowly as it likes."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

LIVE = b"GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/auth/callback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as made:
        yield made


def rest_of(client: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = b""
    try:
        while chunk := client.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def one_response(client: socket.socket) -> bytes:
    """The next response, whole."""
    received = b""
    while (found := re.search(rb"content-length: (\d+)\r\n(?:.*\r\n)*\r\n", received)) is None or len(
        received
    ) < found.end() + int(found[1]):
        chunk = client.recv(65536)
        assert chunk, received
        received += chunk
    return received


def drip(client: socket.socket, one: bytes, *, every: float = 0.1, longest: float = 10) -> bytes:
    """Send `one` again and again until the other side closes or responds; everything that it sent."""
    client.settimeout(every)
    received, deadline = b"", time.monotonic() + longest
    while time.monotonic() < deadline:
        try:
            client.sendall(one)
            if not (chunk := client.recv(65536)):
                return received
            received += chunk
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return received
    raise AssertionError("still connected")


def error_in(response: bytes, status: bytes) -> dict[str, object]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status), response
    assert b"connection: close" in head.lower()
    assert b"\r\nx-content-type-options: nosniff" in head
    error: dict[str, object] = json.loads(body)["error"]
    assert set(error) == {"code", "message", "detail", "request_id"}
    assert f"x-request-id: {error['request_id']}".encode() in head
    return error


def assert_served(port: int) -> None:
    assert httpx2.get(f"http://127.0.0.1:{port}/api/v1/health/live", trust_env=False).status_code == 200
