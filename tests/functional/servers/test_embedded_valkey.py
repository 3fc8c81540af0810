"""Valkey on a developer's machine: started, stopped, killed, and closed to everyone without the password."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from tenantgate_cli.stack.servers.launch import ServerBroken
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.valkey import command, frozen

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="shows what root does")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part of it is Linux's")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / "data")
    yield server
    server.stop()


def gone(pid: int) -> bool:
    """Return whether the process ends within a few seconds."""
    try:
        psutil.Process(pid).wait(15)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_password_and_port_stay_from_one_start_to_the_next_and_data_does_not(server: EmbeddedValkey) -> None:
    before = server.start()
    command(before, "SET", "kept", "no")
    server.stop()

    assert server.start() == before
    assert command(before, "GET", "kept") is None
    assert list((server.data_dir / "work").iterdir()) == []


def test_starting_twice_is_starting_once_and_stopping_leaves_no_process(server: EmbeddedValkey) -> None:
    server.start()
    pid = server.pid
    server.start()

    assert pid is not None
    assert server.pid == pid
    server.stop()
    assert gone(pid)
    assert server.pid is None
    server.stop()


def test_only_loopback_listens_and_only_the_password_opens(server: EmbeddedValkey) -> None:
    url = server.start()
    process = psutil.Process(server.pid)
    listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    password = json.loads((server.data_dir / "password.json").read_text())["password"]

    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [("127.0.0.1", server.port)]
    for other in (url.replace(password, f"x{password}"), url.replace(f":{password}@", "")):
        with pytest.raises(redis.AuthenticationError):
            command(other, "PING")
    for name in ("password.json", "valkey.conf", "valkey.log"):
        assert (server.data_dir / name).stat().st_mode & 0o077 == 0
    assert password not in server.log.read_text()
    assert password not in " ".join(process.cmdline())
    assert password not in " ".join(psutil.Process(process.ppid()).cmdline())


def test_its_memory_is_bounded_and_nothing_is_evicted_silently(server: EmbeddedValkey) -> None:
    url = server.start()

    assert command(url, "CONFIG", "GET", "maxmemory") == [b"maxmemory", b"67108864"]
    assert command(url, "CONFIG", "GET", "maxmemory-policy") == [b"maxmemory-policy", b"noeviction"]
    assert command(url, "CONFIG", "GET", "save") == [b"save", b""]
    assert command(url, "CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]


@as_root
def test_root_runs_it_as_another_user_below_closed_folders(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedValkey(closed / "data") as server:
        assert psutil.Process(server.pid).uids().real != 0
        assert command(server.start(), "ECHO", "x") == b"x"
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_killed_server_is_started_again_on_the_same_port(server: EmbeddedValkey) -> None:
    before = server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert gone(server.pid)

    assert server.start() == before
    assert command(before, "ECHO", "x") == b"x"


def test_a_frozen_server_can_be_stopped(server: EmbeddedValkey) -> None:
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert gone(pid)


def test_a_resumed_server_responds(server: EmbeddedValkey) -> None:
    url = server.start()
    with frozen(server):
        pass
    assert command(url, "ECHO", "x") == b"x"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"other": 1}'])
def test_a_damaged_password_is_reported_with_a_remedy(server: EmbeddedValkey, text: str) -> None:
    server.data_dir.mkdir()
    (server.data_dir / "password.json").write_text(text)
    with pytest.raises(ServerBroken, match=r"password.json is damaged.*make dev RESET=1"):
        server.start()


def test_a_setting_that_it_does_not_know_is_reported_with_its_log(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path, settings={"no-such-setting": "1"})
    with pytest.raises(ServerBroken, match=r"valkey\.log"):
        server.start()
    assert server.pid is None


def test_a_taken_port_is_reported(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServerBroken, match=f"port {port} on 127.0.0.1 is taken"):
            EmbeddedValkey(tmp_path, port=port).start()


PARENT = """
import sys, time
from pathlib import Path
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
server = EmbeddedValkey(Path(sys.argv[1]))
server.start()
print(server.pid, server._running.supervisor.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "also_the_supervisor", [False, pytest.param(True, marks=on_linux)], ids=["parent-alone", "supervisor-too"]
)
def test_no_server_is_left_when_its_starter_is_killed(tmp_path: Path, *, also_the_supervisor: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server, supervisor = map(int, parent.stdout.readline().split())
        if also_the_supervisor:
            os.kill(supervisor, signal.SIGKILL)
        parent.kill()
    assert gone(server)
    assert gone(supervisor)
