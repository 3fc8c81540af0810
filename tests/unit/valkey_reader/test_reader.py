"""The reader with servers that reply wrongly, slowly, too much or not at all."""

from __future__ import annotations

import inspect
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.valkey_reader.reader import LONGEST_VALUE, ValkeyReader
from tenantgate.valkey_reader.replies import command
from tests.fixtures.servers.certificates import Authority
from tests.fixtures.servers.scripted_valkey import Script, ScriptedValkey, dripping, replying, silent, until_closed
from tests.fixtures.tokens.issuer import ManualClock

ONE = b"*1\r\n$3\r\none\r\n"
TWO = b"*1\r\n$3\r\ntwo\r\n"


@contextmanager
def _reader(url: str, *, protection: str = "verify-full", seconds: float = 5.0) -> Iterator[ValkeyReader]:
    reader = ValkeyReader(parse_cache_url(url, protection=protection), connect_seconds=seconds, reply_seconds=seconds)
    try:
        yield reader
    finally:
        reader.close()


def _with_login(server: ScriptedValkey, login: str) -> str:
    return server.url.replace("://", f"://{login}@")


def test_a_connection_is_kept() -> None:
    with ScriptedValkey(replying(ONE, TWO)) as server, _reader(server.url) as reader:
        assert (reader.get_many("a"), reader.get_many("a")) == ([b"one"], [b"two"])
        assert server.connections == 1


def test_the_login_and_the_number_go_out_with_the_first_command() -> None:
    received: list[bytes] = []

    def script(opened: socket.socket, _: int) -> None:
        received.append(opened.recv(65536))
        opened.sendall(b"+OK\r\n+OK\r\n" + ONE)
        received.append(opened.recv(65536))
        opened.sendall(b"+OK\r\n")
        received.append(opened.recv(65536))
        opened.sendall(b"+OK\r\n")
        until_closed(opened)

    with ScriptedValkey(script) as server, _reader(f"{_with_login(server, 'us%40er:pa%3Ass')}/7") as reader:
        assert reader.get_many("a") == [b"one"]
        reader.set("key", b"value", seconds=60)
        reader.run_script("return redis.status_reply('OK')", "key", b"1", b"\x00\r\n")
    assert received == [
        command(b"AUTH", b"us@er", b"pa:ss") + command(b"SELECT", b"7") + command(b"MGET", b"a"),
        command(b"SET", b"key", b"value", b"EX", b"60"),
        command(b"EVAL", b"return redis.status_reply('OK')", b"1", b"key", b"1", b"\x00\r\n"),
    ]


def test_a_login_can_be_new_for_each_connection() -> None:
    received: list[bytes] = []

    def script(opened: socket.socket, _: int) -> None:
        received.append(opened.recv(65536))
        opened.sendall(b"+OK\r\n" + ONE)

    with ScriptedValkey(script) as server:
        logins = iter([("iam-user", "token-1"), ("iam-user", "token-2")])
        reader = ValkeyReader(parse_cache_url(server.url, protection="verify-full"), login=lambda: next(logins))
        assert [reader.get_many("a"), reader.get_many("a")] == [[b"one"], [b"one"]]
        reader.close()
    assert [b"token-1" in received[0], b"token-2" in received[1]] == [True, True]


def _closing(opened: socket.socket, _: int) -> None:
    opened.recv(65536)
    opened.sendall(ONE)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(replying(ONE), id="no-second-reply"),
        pytest.param(replying(ONE, b"-ERR gone\r\n"), id="an-error"),
        pytest.param(replying(ONE, b"+OK\r\n"), id="another-reply"),
        pytest.param(_closing, id="closed-after-the-first"),
    ],
)
def test_a_kept_connection_that_fails_is_replaced_once(first: Script) -> None:
    def script(opened: socket.socket, number: int) -> None:
        (first if number == 0 else replying(TWO))(opened, number)

    with ScriptedValkey(script) as server, _reader(server.url, seconds=0.3) as reader:
        assert (reader.get_many("a"), reader.get_many("a")) == ([b"one"], [b"two"])
        assert server.connections == 2


def test_bytes_that_no_command_asked_for_are_never_a_reply() -> None:
    """A reply that is one too late would be another caller's session."""

    def script(opened: socket.socket, number: int) -> None:
        opened.recv(65536)
        opened.sendall(TWO if number else ONE)
        time.sleep(0.05)
        opened.sendall(b"*1\r\n$4\r\nevil\r\n")
        until_closed(opened)

    with ScriptedValkey(script) as server, _reader(server.url) as reader:
        assert reader.get_many("a") == [b"one"]
        time.sleep(0.2)
        assert reader.get_many("a") == [b"two"]


def test_a_late_reply_is_never_the_next_ones() -> None:
    def script(opened: socket.socket, number: int) -> None:
        opened.recv(65536)
        if number == 0:
            time.sleep(0.3)
            opened.sendall(b"*1\r\n$4\r\nlate\r\n")
        else:
            opened.sendall(TWO)
        until_closed(opened)

    with ScriptedValkey(script) as server, _reader(server.url, seconds=0.1) as reader:
        with pytest.raises(CacheUnavailable):
            reader.get_many("a")
        time.sleep(0.4)
        assert reader.get_many("a") == [b"two"]


def test_a_connection_that_paused_for_long_is_not_tried() -> None:
    clock = ManualClock()
    with ScriptedValkey(replying(ONE, TWO)) as server:
        reader = ValkeyReader(parse_cache_url(server.url, protection="verify-full"), clock=clock)
        assert reader.get_many("a") == [b"one"]
        clock.now += 60
        assert reader.get_many("a") == [b"two"]
        clock.now += 61
        assert reader.get_many("a") == [b"one"]
        assert server.connections == 2
        reader.close()


def test_a_closed_reader_connects_again() -> None:
    with ScriptedValkey(replying(ONE, TWO)) as server, _reader(server.url) as reader:
        for _ in range(2):
            assert reader.get_many("a") == [b"one"]
            reader.close()
        assert server.connections == 2


def test_a_dead_address_of_the_host_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedValkey(replying(ONE)) as server, _reader(server.url) as reader:
        live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        refused = (*live[:4], ("127.0.0.1", 1))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [refused, live])
        assert reader.get_many("a") == [b"one"]


def test_the_addresses_of_a_host_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    place = full.getsockname()
    # Connections that are never accepted fill the backlog: the next one waits.
    waiting = [socket.socket() for _ in range(3)]
    for opened in waiting:
        opened.setblocking(False)
        opened.connect_ex(place)
    with ScriptedValkey(replying(ONE)) as server, _reader(server.url, seconds=1.0) as reader:
        live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(*live[:4], place), live])
        assert reader.get_many("a") == [b"one"]
    for opened in (*waiting, full):
        opened.close()


def test_each_step_takes_at_most_three_tenths_of_a_second_by_default() -> None:
    limits = inspect.signature(ValkeyReader).parameters
    assert (limits["connect_seconds"].default, limits["reply_seconds"].default) == (0.3, 0.3)


def test_an_entry_has_at_most_64_kilobytes() -> None:
    assert LONGEST_VALUE == 65_536


@pytest.mark.parametrize(
    ("script", "reason", "failure"),
    [
        pytest.param(
            replying(b"garbage\r\n"), "the server's reply is not valid", "another kind of reply", id="garbage"
        ),
        pytest.param(replying(ONE + b"x"), "not valid", "bytes after the last reply", id="too-much"),
        pytest.param(replying(b"*1\r\n$65537\r\n"), "not valid", "invalid length", id="a-longer-value"),
        pytest.param(replying(b"-LOADING data\r\n"), "refused a command", "LOADING", id="loading"),
        pytest.param(replying(b"-MOVED 1 10.0.0.1:6379\r\n"), "refused a command", "MOVED", id="another-node"),
        pytest.param(silent, "too slowly", "TimeoutError", id="silent"),
        pytest.param(dripping(ONE, every=0.05), "too slowly", "TimeoutError", id="byte-by-byte"),
        pytest.param(lambda *_: None, "can't be reached", "Connection", id="closed-at-once"),
        pytest.param(lambda opened, _: opened.recv(65536), "can't be reached", "ConnectionResetError", id="closed"),
        pytest.param(replying(ONE[:7]), "too slowly", "TimeoutError", id="half-a-reply"),
    ],
)
def test_a_server_that_misbehaves_is_unavailable(script: Script, reason: str, failure: str) -> None:
    with ScriptedValkey(script) as server, _reader(server.url, seconds=0.2) as reader:
        began = time.monotonic()
        with pytest.raises(CacheUnavailable, match=reason) as unavailable:
            reader.get_many("a")
        assert time.monotonic() - began < 3
        assert failure in str(unavailable.value.private["failure"])
        assert unavailable.value.private["server"] == f"localhost:{server.port}"
        assert server.connections == 1


def test_a_flood_is_given_up_before_it_is_read() -> None:
    sent = 0

    def script(opened: socket.socket, _: int) -> None:
        nonlocal sent
        opened.recv(65536)
        opened.sendall(b"*1\r\n$4294967295\r\n")
        for _ in range(10_000):
            opened.sendall(b"x" * 65536)
            sent += 65536

    with ScriptedValkey(script) as server, _reader(server.url) as reader, pytest.raises(CacheUnavailable):
        reader.get_many("a")
    # No more than the kernel's buffers take.
    assert sent < 100 * LONGEST_VALUE


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "redis://nothing.invalid", f"redis://{'a' * 70}.test"])
def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    with (
        _reader(url, protection="private-network") as reader,
        pytest.raises(CacheUnavailable, match="can't be reached"),
    ):
        reader.get_many("a")


def test_no_password_is_in_an_error() -> None:
    with (
        ScriptedValkey(replying(b"-WRONGPASS secret-word\r\n")) as server,
        _reader(_with_login(server, ":secret-word")) as reader,
        pytest.raises(CacheUnavailable) as refused,
    ):
        reader.get_many("a")
    assert refused.value.private["failure"] == "WRONGPASS"
    assert "secret-word" not in f"{refused.value} {refused.value.private} {refused.value.__context__!r} {reader!r}"


def test_tls_verifies_authority_and_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusted = f"?ssl_ca_certs={authority.file}"
    for host, query, protection, failure in (
        ("localhost", trusted, "verify-full", None),
        ("other.test", trusted, "verify-full", "SSLCertVerificationError"),
        ("localhost", "", "verify-full", "SSLCertVerificationError"),
        ("other.test", "", "encrypted", None),
        ("other.test", "", "private-network", None),
    ):
        with (
            ScriptedValkey(replying(ONE, TWO), tls=authority.server(host)) as server,
            _reader(server.url + query, protection=protection) as reader,
        ):
            if failure is None:
                assert (reader.get_many("a"), reader.get_many("a")) == ([b"one"], [b"two"])
                continue
            with pytest.raises(CacheUnavailable) as refused:
                reader.get_many("a")
            assert refused.value.private["failure"] == failure


def test_no_password_is_sent_to_a_server_that_is_not_verified(tmp_path: Path) -> None:
    received: list[bytes] = []

    def script(opened: socket.socket, _: int) -> None:
        received.append(opened.recv(65536))

    with (
        ScriptedValkey(script, tls=Authority(tmp_path).server("localhost")) as server,
        _reader(_with_login(server, ":secret")) as reader,
        pytest.raises(CacheUnavailable),
    ):
        reader.get_many("a")
    assert received == []


def test_a_missing_file_of_authorities_is_named_by_its_failure(tmp_path: Path) -> None:
    url = f"rediss://localhost:1?ssl_ca_certs={tmp_path / 'none.pem'}"
    with _reader(url) as reader, pytest.raises(CacheUnavailable) as refused:
        reader.get_many("a")
    assert refused.value.private["failure"] == "FileNotFoundError"


def test_a_tls_client_waits_for_no_silent_server(tmp_path: Path) -> None:
    with ScriptedValkey(silent) as server:
        url = server.url.replace("redis:", "rediss:")
        began = time.monotonic()
        with _reader(url, seconds=0.2) as reader, pytest.raises(CacheUnavailable, match="too slowly"):
            reader.get_many("a")
        assert time.monotonic() - began < 3
