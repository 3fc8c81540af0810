"""Ports on both loopback addresses."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tenantgate_cli.stack import ports
from tenantgate_cli.stack.ports import BoundPort, PortTaken, bind, holder_of, next_free
from tests.fixtures.servers.ports import requires_ipv6, reserved_port


@contextmanager
def held(family: socket.AddressFamily, address: str) -> Iterator[int]:
    """Hold a port on one address that no other test uses on the other address."""
    with reserved_port() as port, socket.socket(family) as sock:
        sock.bind((address, port))
        sock.listen()
        yield port


def addresses(bound: BoundPort) -> list[tuple[str, int]]:
    return [sock.getsockname()[:2] for sock in bound.sockets]


@requires_ipv6
def test_any_free_port_is_the_same_on_both_addresses() -> None:
    with bind(0) as bound:
        assert bound.port != 0
        assert addresses(bound) == [("127.0.0.1", bound.port), ("::1", bound.port)]
        for _, address in ports._ADDRESSES:
            socket.create_connection((address, bound.port), timeout=5).close()


def test_a_port_is_free_again_afterwards() -> None:
    with reserved_port() as port:
        bind(port).close()
        with bind(port) as again:
            assert again.port == port


@pytest.mark.parametrize(
    ("family", "address", "where"),
    [
        pytest.param(socket.AF_INET, "127.0.0.1", "", id="ipv4"),
        pytest.param(socket.AF_INET6, "::1", " on [::1]", id="ipv6", marks=requires_ipv6),
    ],
)
def test_a_port_that_another_program_holds_on_either_address_is_taken(
    family: socket.AddressFamily, address: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "holder_of", lambda port, address: "node (process 7)")
    with held(family, address) as port:
        with pytest.raises(PortTaken) as taken:
            bind(port)
        assert str(taken.value) == f"port {port}{where} is taken by node (process 7)"
        assert next_free(port - 1) != port
    # The other address isn't held by a failed attempt.
    bind(port).close()


@requires_ipv6
def test_any_free_port_avoids_one_that_is_taken_on_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ports._listen
    given: list[int] = []
    with held(socket.AF_INET6, "::1") as taken:

        def listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
            # The system's first choice is the taken port.
            chosen = taken if port == 0 and not given else port
            given.append(chosen)
            return real(family, address, chosen)

        monkeypatch.setattr(ports, "_listen", listen)
        with bind(0) as bound:
            assert bound.port not in (0, taken)
    assert given[:2] == [taken, taken]


def test_a_machine_without_ipv6_has_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int = socket.AF_INET, *more: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *more)

    monkeypatch.setattr(socket, "socket", without_ipv6)
    with bind(0) as bound:
        assert addresses(bound) == [("127.0.0.1", bound.port)]


@requires_ipv6
def test_the_holder_of_one_address_is_not_that_of_the_other() -> None:
    with reserved_port() as port, socket.socket() as sock, socket.socket(socket.AF_INET6) as every:
        sock.bind(("127.0.0.1", port))
        sock.listen()
        own = f"(process {os.getpid()})"

        assert holder_of(port, "127.0.0.1").endswith(own)
        assert holder_of(port, "::1") == "another program"

        every.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        every.bind(("::", port))
        every.listen()
        assert holder_of(port, "::1").endswith(own)
