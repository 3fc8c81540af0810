"""PostgreSQL on a developer's machine: started, stopped, crashed, and its data folder found in every state."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from tenantgate_cli.stack.servers.launch import ServerBroken
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.postgres import QUICK, execute

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="shows what root does")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part of it is Linux's")


@pytest.fixture(scope="module")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a row in it, its server stopped."""
    folder = tmp_path_factory.mktemp("made") / "data"
    with EmbeddedPostgres(folder, settings=QUICK) as server:
        execute(server.start().owner_url, "CREATE TABLE kept AS SELECT 7 AS value")
    return folder


@pytest.fixture
def folder(made_folder: Path, tmp_path: Path) -> Path:
    """Copy the folder, so that a test may corrupt it."""
    copy = tmp_path / "data"
    # `cp` keeps the owner: PostgreSQL wants its folder to be its own.
    subprocess.run(["cp", "-a", made_folder, copy], check=True)
    return copy


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder, settings=QUICK)
    yield server
    server.stop()


def kept(server: EmbeddedPostgres) -> object:
    return execute(server.start().owner_url, "SELECT value FROM kept")[0][0][0]


def gone(pid: int) -> bool:
    """Return whether the process ends within a few seconds."""
    try:
        psutil.Process(pid).wait(15)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_data_passwords_and_port_stay_from_one_start_to_the_next(server: EmbeddedPostgres) -> None:
    before = server.start()
    assert kept(server) == 7
    server.stop()
    assert server.start() == before
    assert kept(server) == 7


def test_starting_twice_is_starting_once(server: EmbeddedPostgres) -> None:
    server.start()
    pid = server.pid
    server.start()
    assert server.pid == pid


def test_stopping_leaves_no_process(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.pid is not None
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    server.stop()
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert server.pid is None
    server.stop()


def test_only_loopback_listens_and_only_passwords_open(server: EmbeddedPostgres) -> None:
    addresses = server.start()
    assert server.pid is not None
    listening = [c for c in psutil.Process(server.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [("127.0.0.1", server.port)]
    with pytest.raises(asyncpg.InvalidPasswordError):
        execute(addresses.app_url.replace("tenantgate_app:", "tenantgate_app:x"), "SELECT 1")
    passwords = json.loads((server.data_dir / "roles.json").read_text())
    assert len(set(passwords.values())) == 3
    assert (server.data_dir / "roles.json").stat().st_mode & 0o077 == 0
    assert not any(password in server.log.read_text() for password in passwords.values())


@pytest.mark.parametrize("role", ["tenantgate_owner", "tenantgate_app"])
def test_neither_role_of_the_product_is_a_superuser(server: EmbeddedPostgres, role: str) -> None:
    ((row,),) = execute(
        server.start().admin_url,
        f"SELECT rolsuper OR rolbypassrls OR rolreplication FROM pg_roles WHERE rolname = '{role}'",
    )
    assert row[0] is False


@as_root
def test_root_runs_it_as_another_user_below_closed_folders(made_folder: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", made_folder, closed / "data"], check=True)
    with EmbeddedPostgres(closed / "data", settings=QUICK) as server:
        assert psutil.Process(server.pid).uids().effective != 0
        assert kept(server) == 7
    assert closed.stat().st_mode & 0o777 == 0o700


def test_an_interrupted_first_start_starts_over(tmp_path: Path) -> None:
    (tmp_path / "data" / "cluster.new" / "base").mkdir(parents=True)
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as server:
        execute(server.start().app_url, "SELECT 1")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["cluster", "postgres.log", "roles.json"]


def test_a_killed_server_is_started_again_on_the_same_port(server: EmbeddedPostgres) -> None:
    before = server.start()
    for _ in range(3):
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert gone(server.pid)
        assert server.start() == before
        assert kept(server) == 7


def test_a_lock_file_that_names_another_program_is_stale(server: EmbeddedPostgres) -> None:
    (server.data_dir / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n/x\n1\n1\n\n\n\nready   \n")
    assert kept(server) == 7


def test_a_folder_in_use_is_reported_with_the_process_to_stop(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantgate_cli.stack.servers.postgres_folder._ENDING_SECONDS", 0.1)
    server.start()
    with pytest.raises(ServerBroken, match=rf"process {server.pid}\).*kill -INT {server.pid}"):
        EmbeddedPostgres(server.data_dir).start()
    assert kept(server) == 7


def truncate_control_file(folder: Path) -> None:
    os.truncate(folder / "cluster" / "global" / "pg_control", 10)


@pytest.mark.parametrize(
    ("corrupt", "why"),
    [
        pytest.param(lambda folder: (folder / "cluster" / "PG_VERSION").unlink(), "incomplete", id="incomplete"),
        pytest.param(
            lambda folder: (folder / "cluster" / "PG_VERSION").write_text("12\n"), "PostgreSQL 12", id="old-version"
        ),
        pytest.param(lambda folder: (folder / "roles.json").unlink(), "roles.json", id="without-passwords"),
        pytest.param(lambda folder: (folder / "roles.json").write_text("{"), "roles.json", id="damaged-passwords"),
        pytest.param(truncate_control_file, "pg_control", id="damaged-control-file"),
        pytest.param(lambda folder: shutil.rmtree(folder / "cluster" / "base"), "base", id="without-data"),
    ],
)
def test_a_broken_data_folder_is_reported_with_a_remedy(
    server: EmbeddedPostgres, corrupt: Callable[[Path], None], why: str
) -> None:
    corrupt(server.data_dir)
    with pytest.raises(ServerBroken) as caught:
        server.start()
    told = str(caught.value)
    assert why in told
    assert "make dev RESET=1" in told
    assert str(server.log) in told
    assert server.pid is None


def test_a_data_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerBroken, match="--data-dir"):
        EmbeddedPostgres(tmp_path / "file").start()


def test_a_taken_port_is_reported(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServerBroken, match=f"port {port} on 127.0.0.1 is taken"):
            EmbeddedPostgres(folder, port=port, settings=QUICK).start()


def test_a_frozen_server_can_be_stopped(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.pid is not None
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert gone(pid)


def test_a_server_outlives_the_thread_that_started_it(server: EmbeddedPostgres) -> None:
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    assert kept(server) == 7


PARENT = """
import signal, sys, time
from pathlib import Path
# A test run in the background starts with SIGINT ignored, and its child processes would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, server._running.supervisor.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "also_the_supervisor", [False, pytest.param(True, marks=on_linux)], ids=["parent-alone", "supervisor-too"]
)
def test_no_server_is_left_when_its_starter_is_killed(folder: Path, *, also_the_supervisor: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, folder], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server, supervisor = map(int, parent.stdout.readline().split())
        if also_the_supervisor:
            os.kill(supervisor, signal.SIGKILL)
        parent.kill()
    assert gone(server)
    assert gone(supervisor)


def test_control_c_in_the_terminal_is_left_to_the_starter(folder: Path) -> None:
    """A signal to the whole foreground group reaches neither the server nor its supervisor."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        server, supervisor = map(int, parent.stdout.readline().split())
        assert os.getpgid(parent.pid) not in {os.getpgid(server), os.getpgid(supervisor)}
        os.killpg(parent.pid, signal.SIGINT)
    assert gone(server)
