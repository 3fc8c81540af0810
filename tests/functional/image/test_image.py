"""The image itself, and one container of it under the strictest flags."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tenantgate_cli.stack.servers.postgres import PostgresAddresses
from tests.fixtures.databases.postgres import execute
from tests.fixtures.image.containers import HARDENED, RunningImage, production, run_command, running
from tests.fixtures.image.engine import Engine
from tests.fixtures.programs.requires import requires_image_tools
from tests.fixtures.servers.ports import requires_ipv6

pytestmark = [pytest.mark.xdist_group("stacks"), requires_image_tools]

MIB = 1024 * 1024


@pytest.fixture
def served(image: Engine, empty_database: PostgresAddresses, tmp_path: Path) -> Iterator[RunningImage]:
    """A container that knows only a superuser's URL, as hosting platforms provide it."""
    with running(image, production(empty_database.admin_url, DRAIN_SECONDS="0"), tmp_path) as (started,):
        started.await_ready()
        yield started


def test_it_has_at_most_250_mb_and_the_settings_that_hosts_read(image: Engine) -> None:
    found = image.inspect()
    assert found["Size"] <= 250 * 1000 * 1000
    assert found["User"] == "10001:10001"
    assert found["Config"]["StopSignal"] == "SIGTERM"
    assert found["Healthcheck"]["Test"] == ["CMD", "python", "-I", "-S", "/app/container/healthcheck.py"]
    assert found["Labels"]["org.opencontainers.image.title"] == "tenantgate"


def test_its_user_owns_nothing_and_no_tool_of_the_build_is_in_it(image: Engine, tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "paths = [os.path.join(folder, name) for folder, _, names in os.walk('/app') for name in [*names, '']]\n"
        "print([path for path in paths if os.access(path, os.W_OK) or os.stat(path).st_uid != 0])\n"
        "print(sorted(set(os.listdir('/app/.venv/lib/python3.13/site-packages')) & {'pip', 'uv', 'pytest'}))\n"
        "print([path for path in paths if path.endswith(('.env', '.pem', '.key')) or '/.git/' in path])\n"
    )
    argv = run_command(image, "looking", {}, tmp_path, command=("python", "-c", script))
    said = image.podman(*argv[len(image.podman_command()) :])
    writable, tools, secret = said.stdout.splitlines()
    assert (writable, tools) == ("[]", "[]")
    # The certificates of authorities, which packages and the product ship, are public.
    public = ("cacert.pem", "rds_authorities.pem")
    assert [path for path in secret.strip("[]").split(", ") if path and not any(name in path for name in public)] == []


def test_a_read_only_container_with_a_superusers_url_migrates_and_serves_as_the_applications_role(
    served: RunningImage, empty_database: PostgresAddresses
) -> None:
    ready = served.await_ready().json()
    assert (ready["checks"]["database"], ready["checks"]["schema"]) == ("ok", "ok")
    status = served.execute("python", "-c", "print(open('/proc/1/status').read())").stdout
    assert "Uid:\t10001\t10001" in status
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    environment = served.execute("python", "-c", "print(open('/proc/1/environ').read())").stdout
    assert str(urlsplit(empty_database.admin_url).password) not in environment
    assert "DATABASE_URL=postgresql://tenantgate_tenantgate_" in environment
    refused = served.execute("python", "-c", "open('/tmp/x', 'w')", check=False)
    assert "Read-only file system" in refused.stderr


@requires_ipv6
def test_it_listens_on_both_families_and_its_health_check_passes(served: RunningImage) -> None:
    for host in ("127.0.0.1", "[::1]"):
        assert httpx2.get(f"http://{host}:{served.port}/api/v1/health/live", trust_env=False).status_code == 200
    # Two sockets: an IPv4 client keeps its own address.
    assert served.lines()[-1]["level"] == "INFO"
    (said,) = [line["message"] for line in served.lines() if "Uvicorn running" in line["message"]]
    assert said == f"Uvicorn running on http://0.0.0.0:{served.port}, http://[::]:{served.port}"
    served.engine.podman("healthcheck", "run", served.name)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wrong = f"PORT={silent.getsockname()[1]}"
        failed = served.engine.podman(
            *("exec", "--env", wrong, served.name, "python", "-I", "-S", "/app/container/healthcheck.py"), check=False
        )
    assert failed.returncode == 1
    assert "no response" in failed.stderr


def test_three_at_once_on_an_empty_database_migrate_it_once(
    image: Engine, empty_database: PostgresAddresses, tmp_path: Path
) -> None:
    variables = production(empty_database.admin_url, DRAIN_SECONDS="0")
    with running(image, variables, tmp_path, number=3) as started:
        for one in started:
            assert one.await_ready().json()["checks"]["schema"] == "ok"
        lines = [line for one in started for line in one.lines()]
    migrated = [line["context"] for line in lines if line["message"] == "database migrated"]

    assert sorted(entry["before"] is None for entry in migrated) == [False, False, True]
    assert len({entry["after"] for entry in migrated}) == 1
    made = "SELECT count(*) AS logins FROM pg_roles WHERE rolname ~ '^tenantgate_tenantgate_'"
    ((row,),) = execute(empty_database.admin_url, made)
    assert row["logins"] == 1


def test_the_command_before_a_deployment_migrates_and_ends(
    image: Engine, empty_database: PostgresAddresses, tmp_path: Path
) -> None:
    variables = production(empty_database.admin_url)
    argv = run_command(image, "before", variables, tmp_path, *HARDENED, command=("python", "-m", "container.migrate"))
    done = image.podman(*argv[len(image.podman_command()) :])
    assert '"message":"database migrated"' in done.stdout
    with running(image, variables | {"DRAIN_SECONDS": "0"}, tmp_path) as (started,):
        started.await_ready()
        (entry,) = [line["context"] for line in started.lines() if line["message"] == "database migrated"]
    assert entry["before"] == entry["after"] is not None
