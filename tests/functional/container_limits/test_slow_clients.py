"""Clients that are slow, are silent or never read, against the running container."""

from __future__ import annotations

import socket
import time

import pytest

from tests.fixtures.servers.raw_http import LIVE, POST, assert_served, connected, drip, error_in, one_response, rest_of
from tests.functional.container_limits.conftest import LIMITS, within


class TestSlowClients:
    def test_one_that_sends_nothing_is_cut_off(self, port: int) -> None:
        with connected(port) as client, within(LIMITS.header_seconds):
            assert rest_of(client) == b""

    def test_one_that_stops_within_its_headers_is_cut_off(self, port: int) -> None:
        with connected(port) as client, within(LIMITS.header_seconds):
            client.sendall(LIVE)
            assert error_in(rest_of(client), b"408")["code"] == "VAL_008"

    @pytest.mark.parametrize("one", [b"x", b"x: y\r\n"], ids=["byte-by-byte", "header-by-header"])
    def test_one_that_drips_its_headers_is_cut_off(self, one: bytes, port: int) -> None:
        with connected(port) as client, within(LIMITS.header_seconds):
            client.sendall(LIVE)
            assert error_in(drip(client, one), b"408")["code"] == "VAL_008"

    def test_one_that_drips_its_second_request_is_cut_off(self, port: int) -> None:
        with connected(port) as client, within(LIMITS.header_seconds):
            client.sendall(LIVE + b"\r\n")
            assert b"200 OK" in one_response(client)
            client.sendall(b"GET /")
            assert error_in(drip(client, b"x"), b"408")["code"] == "VAL_008"

    def test_one_that_begins_its_second_request_during_the_first_is_cut_off(self, patient_idle_port: int) -> None:
        with connected(patient_idle_port) as client, within(LIMITS.header_seconds):
            client.sendall(LIVE + b"\r\nGET /")
            assert b"200 OK" in one_response(client)
            assert error_in(rest_of(client), b"408")["code"] == "VAL_008"

    def test_one_that_drips_empty_lines_is_cut_off(self, port: int) -> None:
        for first in (b"", LIVE + b"\r\n"):
            with connected(port) as client, within(LIMITS.header_seconds):
                client.sendall(first)
                drip(client, b"\r\n")

    def test_one_that_is_idle_after_a_response_is_cut_off(self, port: int) -> None:
        with connected(port) as client, within(LIMITS.idle_seconds):
            client.sendall(LIVE + b"\r\n")
            assert rest_of(client).count(b"HTTP/1.1") == 1

    @pytest.mark.parametrize(
        ("framing", "one"),
        [(b"Content-Length: 1000\r\n\r\n", b"x"), (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")],
        ids=["of-a-known-length", "in-chunks"],
    )
    def test_one_that_drips_its_body_is_cut_off(self, framing: bytes, one: bytes, port: int) -> None:
        with connected(port) as client, within(LIMITS.body_seconds):
            client.sendall(POST + framing)
            assert error_in(drip(client, one), b"408")["code"] == "VAL_008"

    def test_one_that_stops_within_its_body_is_cut_off(self, port: int) -> None:
        with connected(port) as client, within(LIMITS.body_seconds):
            client.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
            assert error_in(rest_of(client), b"408")["code"] == "VAL_008"

    def test_one_that_drips_a_body_which_no_route_reads_is_cut_off(self, port: int) -> None:
        with connected(port) as client, within(LIMITS.request_seconds):
            client.sendall(LIVE + b"Content-Length: 100000\r\n\r\n")
            assert b"200 OK" in drip(client, b"x")

    def test_one_whose_unread_body_ends_after_the_response_is_idle_then(self, port: int) -> None:
        with connected(port) as client, within(LIMITS.idle_seconds):
            client.sendall(LIVE + b"Content-Length: 2\r\n\r\nx")
            assert b"200 OK" in one_response(client)
            client.sendall(b"x")
            assert rest_of(client) == b""

    def test_one_that_disconnects_within_its_body_causes_no_logged_error(self, port: int) -> None:
        with connected(port) as client:
            client.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
        assert_served(port)

    def test_one_that_reads_no_response_is_cut_off(self, port: int) -> None:
        began = time.monotonic()
        with connected(port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(0.2)
            page = b"GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"
            assert self.sends_until_cut_off(client, page * 2, longest=20)
        assert time.monotonic() - began > LIMITS.response_seconds
        assert_served(port)

    @staticmethod
    def sends_until_cut_off(client: socket.socket, request: bytes, *, longest: float) -> bool:
        deadline = time.monotonic() + longest
        while time.monotonic() < deadline:
            try:
                client.sendall(request)
                time.sleep(0.01)  # fewer than may wait are sent ahead
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                return True
        return False
