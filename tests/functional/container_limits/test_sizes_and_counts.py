"""Requests that are too large or malformed, and too many connections, against the running container."""

from __future__ import annotations

import time
from contextlib import ExitStack

import httpx2
import pytest

from tests.fixtures.servers.raw_http import LIVE, POST, assert_served, connected, drip, error_in, one_response, rest_of
from tests.functional.container_limits.conftest import LIMITS, SLACK, within


class TestSizes:
    def test_headers_without_end(self, port: int) -> None:
        with connected(port) as client:
            client.sendall(LIVE)
            assert error_in(drip(client, b"x" * 4096, every=0.01), b"431")["code"] == "VAL_009"

    def test_headers_that_are_complete_but_too_long(self, port: int) -> None:
        with connected(port) as client:
            client.sendall(LIVE + b"x: " + b"y" * LIMITS.header_bytes + b"\r\n\r\n")
            assert error_in(rest_of(client), b"431")["code"] == "VAL_009"

    def test_a_path_that_is_too_long(self, port: int) -> None:
        with connected(port) as client:
            client.sendall(b"GET /" + b"x" * LIMITS.header_bytes + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert error_in(rest_of(client), b"431")["code"] == "VAL_009"

    def test_headers_of_exactly_the_limit(self, port: int) -> None:
        with connected(port) as client:
            client.sendall(LIVE + b"x: " + b"y" * (LIMITS.header_bytes - 100) + b"\r\nConnection: close\r\n\r\n")
            assert rest_of(client).startswith(b"HTTP/1.1 200")

    def test_more_pipelined_requests_than_the_limit(self, port: int) -> None:
        with connected(port) as client:
            client.sendall((LIVE + b"\r\n") * 49 + LIVE + b"Connection: close\r\n\r\n")
            assert rest_of(client).count(b"HTTP/1.1 200") == 50
        with connected(port) as client:
            client.sendall((LIVE + b"\r\n") * 150)
            assert rest_of(client).count(b"HTTP/1.1 200") < 150
        assert_served(port)

    @pytest.mark.parametrize(
        "request_", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nbad header: x\r\n\r\n"]
    )
    def test_malformed_http_is_refused_in_our_shape(self, request_: bytes, port: int) -> None:
        with connected(port) as client:
            client.sendall(request_)
            assert error_in(rest_of(client), b"400")["code"] == "VAL_010"

    @pytest.mark.parametrize(
        "second",
        [b"bad\r\n\r\n", b"GET / HTTP/1.1\r\nbad header: x\r\n\r\n", (LIVE + b"\r\n") * 2 * LIMITS.queued_requests],
        ids=["no-http", "bad-header", "too-many"],
    )
    def test_the_error_of_a_second_request_is_never_the_response_to_the_first(self, second: bytes, port: int) -> None:
        with connected(port) as client, within(LIMITS.idle_seconds):
            client.sendall(LIVE + b"\r\n" + second)
            response = rest_of(client)
        assert response.startswith(b"HTTP/1.1 200"), response
        assert response.count(b"HTTP/1.1") == 1
        assert b"\r\nconnection: close" in response
        assert_served(port)

    def test_a_trailer_is_not_a_header(self, port: int) -> None:
        with connected(port) as client:
            client.sendall(
                POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n{\r\n0\r\nx-request-id: "
                b"from-a-trailer\r\nOrigin: https://app.example.com\r\n\r\n"
            )
            response = rest_of(client)
        assert b"HTTP/1.1 400" in response
        assert b"access-control-allow-origin" not in response.lower()
        assert b"from-a-trailer" not in response

    def test_an_upgrade_is_an_ordinary_request(self, port: int) -> None:
        for upgrade in (b"websocket", b"h2c"):
            with connected(port) as client, within(LIMITS.idle_seconds):
                client.sendall(LIVE + b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n")
                assert rest_of(client).startswith(b"HTTP/1.1 200")


class TestManyConnections:
    def test_the_first_one_beyond_the_limit_gets_a_503_and_the_next_is_closed(self, patient_port: int) -> None:
        port = patient_port
        with ExitStack() as stack:
            admitted = [stack.enter_context(connected(port)) for _ in range(LIMITS.connections)]
            spare = [stack.enter_context(connected(port)) for _ in range(LIMITS.spare_connections)]
            with connected(port) as further:
                assert rest_of(further) == b""
            for client in spare:
                client.sendall(LIVE + b"\r\n")
                response = rest_of(client)
                assert error_in(response, b"503")["code"] == "SYS_010"
                assert b"\r\nretry-after: 1\r\n" in response
            for client in admitted:
                client.sendall(LIVE + b"\r\n")
                assert one_response(client).startswith(b"HTTP/1.1 200")
        self.until_served(port)

    def test_silent_ones_are_closed_in_time(self, port: int) -> None:
        with ExitStack() as stack, within(LIMITS.header_seconds):
            for _ in range(3 * LIMITS.connections):
                stack.enter_context(connected(port))
            self.until_served(port)

    @staticmethod
    def until_served(port: int) -> None:
        deadline = time.monotonic() + LIMITS.header_seconds + SLACK
        while True:
            try:
                assert_served(port)
                return
            except (AssertionError, httpx2.HTTPError):
                assert time.monotonic() < deadline
                time.sleep(0.05)
