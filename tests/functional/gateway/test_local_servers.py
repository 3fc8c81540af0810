"""The PostgreSQL and Valkey of a local stack: used by the product, and open to their developer."""

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest
from dotenv import dotenv_values

from tests.fixtures.databases.postgres import execute
from tests.fixtures.databases.valkey import command
from tests.fixtures.stack.commands import RunningStack, dev_stack, serve_stack

type Run = Callable[..., AbstractContextManager[RunningStack]]

VARIABLES = ["DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"]


def cache_check(stack: RunningStack) -> str:
    response = httpx2.get(f"{stack.url}/api/v1/health/ready", timeout=30, trust_env=False)
    assert response.status_code == 200
    return str(response.json()["checks"]["cache"])


def valkeys(stack: RunningStack) -> list[psutil.Process]:
    children = psutil.Process(stack.process.pid).children(recursive=True)
    return [process for process in children if "valkey" in process.name()]


def test_a_developer_finds_the_servers_in_a_private_file(gateway: RunningStack) -> None:
    file = gateway.data_dir / "dev.env"
    urls = dotenv_values(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert list(urls) == VARIABLES
    assert {urlsplit(url or "").hostname for url in urls.values()} == {"127.0.0.1"}
    assert execute(urls["DATABASE_OWNER_URL"] or "", "SELECT current_user")[0][0][0] == "tenantgate_owner"
    assert execute(urls["DATABASE_URL"] or "", "SELECT current_user")[0][0][0] == "tenantgate_app"
    assert command(urls["REDIS_URL"] or "", "ECHO", "x") == b"x"


def test_the_functions_use_the_stacks_cache(gateway: RunningStack) -> None:
    assert cache_check(gateway) == "ok"
    assert len(valkeys(gateway)) == 1


@pytest.mark.parametrize("run", [dev_stack, serve_stack])
def test_a_cache_of_the_callers_environment_replaces_the_stacks_own(tmp_path: Path, redis_url: str, run: Run) -> None:
    before = command(redis_url, "INFO", "stats")["total_connections_received"]
    with run(tmp_path, env={"REDIS_URL": redis_url}) as stack:
        assert valkeys(stack) == []
        assert not (tmp_path / "valkey").exists()
        assert cache_check(stack) == "ok"
        assert command(redis_url, "INFO", "stats")["total_connections_received"] > before + 1
        file = tmp_path / "dev.env"
        script = f". {file}; echo $REDIS_URL"
        sourced = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert sourced.stdout.strip() == redis_url
        password = urlsplit(redis_url).password or ""
        assert not any(password in line for line in stack.lines)
        stack.stop()
        assert not file.exists()
