"""More requests than the container works on at once, while its database is silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tenantgate.identity.session_cookie import SESSION_COOKIE
from tenantgate.identity.session_entry import SESSION_SECRETS
from tests.fixtures.servers.raw_http import LIVE, POST, assert_served, connected, error_in, one_response, rest_of
from tests.fixtures.servers.silent import SilentServer
from tests.functional.container_limits.conftest import LIMITS, running

REQUESTS = 3
# The database's limit for a connection, after which the requests in progress end.
CONNECT_SECONDS = 3.0


def by_cookie() -> bytes:
    """Return a request that waits for the database."""
    cookie = f"{SESSION_COOKIE}={SESSION_SECRETS.issue('tenant-1').text}"
    return f"GET /api/v1/auth/validate HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    limits = replace(LIMITS, connections=20, requests=REQUESTS, idle_seconds=30, body_seconds=30, request_seconds=30)
    with SilentServer() as silent:
        place = silent.url.removeprefix("http://")
        with running(limits, tmp_path, database=place, errors=("SYS_010", "SYS_001")) as chosen:
            yield chosen


def test_a_request_beyond_the_limit_gets_a_503_at_once_and_health_checks_are_served(port: int) -> None:
    with ExitStack() as stack:
        busy = [stack.enter_context(connected(port)) for _ in range(REQUESTS)]
        for client in busy:
            client.sendall(by_cookie())
        time.sleep(0.5)

        began = time.monotonic()
        with connected(port) as further:
            # The connection is kept: a new one would be more work than the response.
            for _ in range(20):
                further.sendall(by_cookie())
                response = one_response(further)
                assert response.startswith(b"HTTP/1.1 503")
                assert b'"SYS_010"' in response
                assert b"\r\nretry-after: 1\r\n" in response
        with connected(port) as further:
            further.sendall(POST + b"Content-Length: 10\r\n\r\n{")
            assert error_in(rest_of(further), b"503")["code"] == "SYS_010"
        with connected(port) as client:
            client.sendall(LIVE + b"\r\n")
            assert one_response(client).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - began < CONNECT_SECONDS - 1

        # Those in progress were not disturbed, and their places become free.
        assert all(b"SYS_001" in one_response(client) for client in busy)
        with connected(port) as client:
            client.sendall(by_cookie())
            assert b"SYS_001" in one_response(client)


def test_a_request_counts_until_it_ends_even_if_its_client_has_disconnected(port: int) -> None:
    for _ in range(REQUESTS):
        with connected(port) as client:
            client.sendall(by_cookie())
            time.sleep(0.3)
    with connected(port) as other:
        began = time.monotonic()
        other.sendall(by_cookie())
        assert b"SYS_010" in one_response(other)
        assert time.monotonic() - began < CONNECT_SECONDS - 1


def test_clients_that_never_complete_a_body_keep_no_other_out(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(2 * REQUESTS):
            client = stack.enter_context(connected(port))
            client.sendall(POST + b"Content-Length: 10\r\n\r\n{")
        time.sleep(0.3)
        with connected(port) as other:
            other.sendall(by_cookie())
            assert b"SYS_001" in one_response(other)
        assert_served(port)
