"""The container's sockets: both families on one port, with each client's own address."""

import errno
import socket

import pytest

from container import listening
from container.listening import listening_sockets, urls
from tests.fixtures.servers.ports import requires_ipv6


@requires_ipv6
def test_both_families_share_a_port() -> None:
    bound = listening_sockets(0)
    try:
        assert [one.family for one in bound] == [socket.AF_INET, socket.AF_INET6]
        assert len({one.getsockname()[1] for one in bound}) == 1
        port = bound[0].getsockname()[1]
        assert urls(bound) == f"http://0.0.0.0:{port}, http://[::]:{port}"
        for one, host in zip(bound, ("127.0.0.1", "::1"), strict=True):
            one.listen(1)
            with socket.create_connection((host, port), timeout=5):
                accepted, address = one.accept()
                accepted.close()
                assert address[0] == host
    finally:
        for one in bound:
            one.close()


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
@pytest.mark.parametrize("absent", [socket.AF_INET, socket.AF_INET6])
def test_a_host_without_one_family_is_served_by_the_other(
    monkeypatch: pytest.MonkeyPatch, code: int, absent: socket.AddressFamily
) -> None:
    bind = listening._bound

    def without(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        if family is absent:
            raise OSError(code, "no such family")
        return bind(family, "127.0.0.1" if family is socket.AF_INET else "::", port)

    monkeypatch.setattr(listening, "_bound", without)
    (bound,) = listening_sockets(0)
    with bound:
        assert bound.family is not absent


def test_a_taken_port_is_an_error_and_leaves_no_socket() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken, pytest.raises(OSError, match=f"Errno {errno.EADDRINUSE}"):
        listening_sockets(taken.getsockname()[1])


def test_a_host_without_any_family_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "no such family")

    monkeypatch.setattr(listening, "_bound", none)
    with pytest.raises(OSError, match="no such family"):
        listening_sockets(0)
