"""The image's HEALTHCHECK as the engine runs it, against servers that respond in each way."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tenantgate_cli.paths import ROOT


@contextmanager
def responding(response: bytes | None) -> Iterator[int]:
    """Serve one connection with `response`; None: without one."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked = connection.recv(1000)
                assert asked.startswith(b"GET /api/v1/health/live HTTP/1.1\r\nHost: localhost\r\n")
                if response is not None:
                    connection.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def check(port: int) -> tuple[int, str]:
    command = [sys.executable, "-I", "-S", str(ROOT / "container" / "healthcheck.py")]
    done = subprocess.run(command, env={"PORT": str(port)}, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("response", "status", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 0, ""),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1, "not 200: b'HTTP/1.1 503 Service Unavailable\\r\\n'\n"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", 1, "not 200: b'HTTP/1.1 2000 OK\\r\\n'\n"),
        (None, 1, "not 200: b''\n"),
    ],
)
def test_it_passes_only_with_200(response: bytes | None, status: int, said: str) -> None:
    with responding(response) as port:
        assert check(port) == (status, said)


def test_it_fails_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    status, said = check(port)
    assert status == 1
    assert said.startswith("no response: ")
