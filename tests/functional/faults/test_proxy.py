"""The proxy's faults happen: seen from both ends of a connection, in each direction, and end when they are to end."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fixtures.faults.fault import Fault
from tests.fixtures.faults.proxy import BOTH, FaultProxy, Toward

TOWARD = pytest.mark.parametrize("toward", BOTH)
SHORT = 0.2


class Echo(socketserver.ThreadingTCPServer):
    """Returns every byte. `chunks`: what each read returned; `begun`, `endings`: of each connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.begun: list[object] = []
        self.endings: list[str] = []
        super().__init__(("127.0.0.1", 0), EchoHandler)


class EchoHandler(socketserver.BaseRequestHandler):
    server: Echo

    def handle(self) -> None:
        self.server.begun.append(self.client_address)
        try:
            while data := self.request.recv(65536):
                self.server.chunks.append(data)
                self.request.sendall(data)
            self.server.endings.append("closed")
        except OSError as error:
            self.server.endings.append(type(error).__name__)


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with Echo() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def link(echo: Echo) -> Iterator[FaultProxy]:
    echo.chunks.clear()
    echo.begun.clear()
    echo.endings.clear()
    with FaultProxy(f"tcp://127.0.0.1:{echo.server_address[1]}") as proxy:
        yield proxy
    # The next test sees only its own endings.
    until(lambda: len(echo.endings) == len(echo.begun))


@pytest.fixture
def client(link: FaultProxy) -> Iterator[socket.socket]:
    with connected(link) as opened:
        # Both sides are connected, and a fault then meets an open connection.
        assert ask(opened, b"hello") == b"hello"
        yield opened


def connected(link: FaultProxy) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", link.port), timeout=5)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def ask(opened: socket.socket, data: bytes) -> bytes:
    """Send, and read as much as was sent, or until the connection ends."""
    opened.sendall(data)
    received = b""
    while len(received) < len(data) and (more := opened.recv(65536)):
        received += more
    return received


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_without_a_fault_every_byte_passes_in_both_directions(link: FaultProxy) -> None:
    data = bytes(range(256)) * 4000
    with connected(link) as opened:
        sending = threading.Thread(target=opened.sendall, args=(data,))
        sending.start()
        received = b""
        while len(received) < len(data):
            received += opened.recv(65536)
        sending.join()
        assert received == data
        opened.shutdown(socket.SHUT_WR)
        assert opened.recv(1) == b""
    until(lambda: link.open == 0)


def test_the_address_replaces_only_host_and_port(echo: Echo) -> None:
    with FaultProxy(f"redis://user:secret@127.0.0.1:{echo.server_address[1]}/3") as link:
        assert link.url == f"redis://user:secret@127.0.0.1:{link.port}/3"


@TOWARD
def test_latency_delays_each_exchange(link: FaultProxy, client: socket.socket, toward: Toward) -> None:
    with link.failing(Fault(latency=SHORT), toward):
        assert SHORT <= seconds(lambda: ask(client, b"x")) < SHORT + 1
        assert SHORT <= seconds(lambda: ask(client, b"x")) < SHORT + 1
    assert seconds(lambda: ask(client, b"x")) < SHORT


def test_latency_in_both_directions_adds_up(link: FaultProxy, client: socket.socket) -> None:
    link.apply(Fault(latency=SHORT))
    assert seconds(lambda: ask(client, b"x")) >= 2 * SHORT


def test_jitter_varies_the_latency(link: FaultProxy, client: socket.socket) -> None:
    link.apply(Fault(latency=0.02, jitter=0.02), "client")
    taken = [seconds(lambda: ask(client, b"x")) for _ in range(20)]
    assert max(taken) - min(taken) > 0.01


@TOWARD
def test_bandwidth_spreads_the_bytes_over_time(link: FaultProxy, client: socket.socket, toward: Toward) -> None:
    link.apply(Fault(bandwidth=10_000), toward)
    assert 0.3 <= seconds(lambda: ask(client, b"x" * 4000)) < 2
    link.heal()
    assert seconds(lambda: ask(client, b"x" * 4000)) < 0.3


@TOWARD
def test_silence_holds_the_bytes_until_it_ends(
    link: FaultProxy, client: socket.socket, echo: Echo, toward: Toward
) -> None:
    before = len(echo.chunks)
    with link.failing(Fault(silent=True), toward):
        client.settimeout(SHORT)
        client.sendall(b"held")
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert len(echo.chunks) == before + (toward == "client")
        # A new connection is accepted, and as silent.
        with connected(link) as other:
            other.settimeout(SHORT)
            other.sendall(b"x")
            with pytest.raises(TimeoutError):
                other.recv(1)
    client.settimeout(5)
    assert client.recv(4) == b"held"


@pytest.mark.parametrize("fault", [Fault(silent=True), Fault(close_late=3600)])
def test_an_end_that_is_held_comes_when_the_fault_ends(
    link: FaultProxy, client: socket.socket, echo: Echo, fault: Fault
) -> None:
    with link.failing(fault, "client"):
        client.shutdown(socket.SHUT_WR)
        until(lambda: echo.endings == ["closed"])
        client.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            client.recv(1)
    client.settimeout(5)
    assert client.recv(1) == b""


@TOWARD
def test_a_reset_after_some_bytes(link: FaultProxy, client: socket.socket, echo: Echo, toward: Toward) -> None:
    link.apply(Fault(reset_after=3), toward)
    client.sendall(b"12345")
    received = b""
    with pytest.raises(ConnectionResetError):  # noqa: PT012
        while more := client.recv(1):
            received += more
        raise AssertionError("closed, not reset")
    assert b"123".startswith(received)
    # The error's name depends on what the server does at that moment.
    until(lambda: echo.endings in (["ConnectionResetError"], ["BrokenPipeError"]))
    if toward == "server":
        assert echo.chunks[1:] == [b"123"]


def test_a_reset_at_the_first_byte(link: FaultProxy, echo: Echo) -> None:
    link.apply(Fault(reset_after=0))
    with connected(link) as opened:
        opened.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            opened.recv(1)
    assert echo.chunks == []


@TOWARD
def test_a_cut_off_after_some_bytes_ends_the_stream_in_order(
    link: FaultProxy, client: socket.socket, echo: Echo, toward: Toward
) -> None:
    link.apply(Fault(cut_after=3), toward)
    received = ask(client, b"12345")
    assert client.recv(1) == b""
    if toward == "client":
        assert received == b"123"
    else:
        until(lambda: b"".join(echo.chunks[1:]) == b"123")
    # The bytes are counted for each connection.
    with connected(link) as other:
        assert ask(other, b"abc") == b"abc"


@TOWARD
def test_a_fault_set_again_begins_again(link: FaultProxy, client: socket.socket, toward: Toward) -> None:
    fault = Fault(cut_after=3)
    for _ in range(3):
        link.apply(fault, toward)
        assert ask(client, b"abc") == b"abc"
    assert ask(client, b"d") == b""


def test_slices_arrive_one_by_one(link: FaultProxy, client: socket.socket, echo: Echo) -> None:
    link.apply(Fault(slices=2))
    client.sendall(b"x" * 40)
    arrived: list[bytes] = []
    while sum(map(len, arrived)) < 40:
        arrived.append(client.recv(65536))
    assert len(echo.chunks[1:]) > 10
    assert len(arrived) > 10


def test_a_late_close_of_the_server(link: FaultProxy, client: socket.socket, echo: Echo) -> None:
    link.apply(Fault(close_late=SHORT), "client")
    client.shutdown(socket.SHUT_WR)
    assert SHORT <= seconds(lambda: client.recv(1)) < SHORT + 1
    assert echo.endings == ["closed"]


def test_a_late_close_of_the_client(link: FaultProxy, client: socket.socket, echo: Echo) -> None:
    link.apply(Fault(close_late=SHORT), "server")
    client.close()
    assert SHORT <= seconds(lambda: until(lambda: bool(echo.endings))) < SHORT + 1


def test_a_server_that_is_gone_refuses_connections_and_comes_back_at_its_port(
    link: FaultProxy, client: socket.socket, echo: Echo
) -> None:
    with link.gone():
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connected(link)
        assert link.open == 0
        until(lambda: len(echo.endings) == 1)
    with connected(link) as opened:
        assert ask(opened, b"back") == b"back"


def test_dropped_connections_are_reset_and_new_ones_accepted(link: FaultProxy, client: socket.socket) -> None:
    link.drop()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connected(link) as opened:
        assert ask(opened, b"x") == b"x"


def test_a_server_that_is_really_gone_resets_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with (
        FaultProxy(f"tcp://127.0.0.1:{port}") as link,
        # Perhaps already while it connects.
        pytest.raises(ConnectionResetError),
        connected(link) as opened,
    ):
        opened.recv(1)


def test_a_reset_of_one_side_reaches_the_other(link: FaultProxy, echo: Echo) -> None:
    opened = connected(link)
    assert ask(opened, b"x") == b"x"
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    opened.close()
    until(lambda: echo.endings == ["ConnectionResetError"])


def test_the_end_of_the_proxy_ends_silent_connections(echo: Echo) -> None:
    with FaultProxy(f"tcp://127.0.0.1:{echo.server_address[1]}") as link:
        link.apply(Fault(silent=True))
        opened = connected(link)
        opened.sendall(b"x")
        until(lambda: (link.open, link.accepted) == (1, 1))
    with opened, pytest.raises(ConnectionResetError):
        opened.recv(1)
