"""`tenantgate dev` and related commands, started as a developer starts them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tenantgate.database import migrator
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.postgres import execute
from tests.fixtures.gateway.project import HEAD, event, function_resource, write_handler, write_project
from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack, serve_stack, start_command

DEMO = "demo@example.test / correct horse battery staple"


def get(stack: RunningStack, path: str, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.get(f"{stack.url}{path}", headers=named, timeout=30, trust_env=False)


def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tenantgate_cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def descendants(stack: RunningStack) -> list[psutil.Process]:
    return psutil.Process(stack.process.pid).children(recursive=True)


def survivors(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Return the processes that still exist after the time."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with dev_stack(tmp_path_factory.mktemp("dev")) as running:
        yield running


def test_steps_are_timed_and_then_come_at_most_15_lines(stack: RunningStack) -> None:
    first = stack.lines.index(f"Tenantgate ready at {stack.url}")
    steps = [line.split() for line in stack.lines[:first]]
    assert [step[0] for step in steps] == ["postgres", "migrations", "valkey", "gateway", "provider"]
    assert all(float(step[1]) >= 0 and step[2:] == ["s", "✓"] for step in steps)
    assert len(stack.ready_lines) <= 15


def test_the_ready_lines_say_what_is_needed_for_a_start(stack: RunningStack) -> None:
    said = "\n".join(stack.ready_lines)
    for wanted in (
        f"{stack.url}/api/v1/auth/login",
        f"{stack.url}/docs",
        DEMO,
        "org-",
        f"{stack.url}/idp (built in)",
        "curl -H",
        str(stack.data_dir),
    ):
        assert wanted in said


def test_the_api_is_served_by_the_functions(stack: RunningStack) -> None:
    response = get(stack, "/api/v1/health/live")
    assert response.status_code == 200
    assert len(response.headers["apigw-requestid"]) == 16
    stack.wait_for_line(lambda line: "/api/v1/health/live  200" in line and "HealthFunction" in line)


def test_a_query_never_reaches_the_terminal(stack: RunningStack) -> None:
    get(stack, "/api/v1/health/live?code=canary-in-the-query")
    get(stack, "/nothing-here")
    stack.wait_for_line(lambda line: "/nothing-here" in line)
    assert not any("canary" in line for line in stack.lines)


def test_what_functions_log_is_in_a_file_each(stack: RunningStack) -> None:
    get(stack, "/api/v1/health/live")
    lines = (stack.data_dir / "logs" / "HealthFunction.log").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert lines


def test_the_token_command_gets_a_token_that_the_api_accepts(stack: RunningStack) -> None:
    token = command("token", "--data-dir", str(stack.data_dir))
    assert (token.returncode, token.stderr) == (0, "")
    bearer = f"Bearer {token.stdout.strip()}"
    assert get(stack, "/api/v1/auth/validate", authorization=bearer).json()["valid"] is True
    assert get(stack, "/api/v1/auth/me", authorization=bearer).status_code == 200
    assert get(stack, "/api/v1/auth/me").json() == {"message": "Unauthorized"}


def test_the_token_command_gets_the_token_that_its_options_describe(stack: RunningStack) -> None:
    options = ("--user", "member@example.test", "--scope", "orders:read", "--expires", "5m", "--json")
    token = json.loads(command("token", *options, "--data-dir", str(stack.data_dir)).stdout)
    caller = get(stack, "/api/v1/auth/me", authorization=f"Bearer {token['access_token']}").json()
    assert (caller["user_id"], caller["tenant_id"]) == (token["user_id"], token["tenant_id"])
    assert (caller["scopes"], token["scope"]) == (["orders:read"], "orders:read")
    assert (token["ok"], token["token_type"], token["expires_in"], token["roles"]) == (True, "Bearer", 300, ["member"])
    assert (caller["expires_at"], token["user"]) == (token["expires_at"], "Demo Member")


def test_the_token_command_gets_an_expired_token(stack: RunningStack) -> None:
    token = command("token", "--expires", "-5m", "--data-dir", str(stack.data_dir)).stdout.strip()
    refused = get(stack, "/api/v1/auth/validate", authorization=f"Bearer {token}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "AUTH_003")


def test_the_token_command_refuses_what_the_user_may_not_have(stack: RunningStack) -> None:
    data = ("--data-dir", str(stack.data_dir))
    refused = command("token", "--user", "Demo Member", "--scope", "orders:write", *data)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "✗ Demo Member doesn't have the scope 'orders:write'\n"
        "  → choose from openid, profile, email, address, phone, orders:read, "
        "or use --user demo@example.test or --user outsider@example.test\n"
    )
    as_json = command("token", "--role", "king", "--json", *data)
    assert (as_json.returncode, json.loads(as_json.stdout)["problems"][0]["problem"]) == (
        1,
        "Demo Admin doesn't have the role 'king'",
    )


def test_the_documentation_is_served_here(stack: RunningStack) -> None:
    page = get(stack, "/docs", accept="text/html")
    assert page.status_code == 200
    assert "https://" not in page.text.replace("https://github.com", "")
    assert get(stack, "/docs/openapi.json").json()["openapi"].startswith("3.1")


def test_another_start_on_the_same_folder_says_who_has_it(stack: RunningStack) -> None:
    second = command("dev", "--port", "0", "--data-dir", str(stack.data_dir))
    assert second.returncode == 1
    assert f"in use by tenantgate (process {stack.process.pid}, {stack.url})" in second.stderr
    assert "--data-dir" in second.stderr


def test_migrations_of_a_running_stack(stack: RunningStack) -> None:
    told = command("migrate", "current", "--data-dir", str(stack.data_dir))
    assert (told.returncode, told.stdout.split()[1]) == (0, "(newest)")


def test_a_taken_port_says_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        failed = command("dev", "--data-dir", str(tmp_path), PORT=str(port))
    assert failed.returncode == 1
    assert f"port {port} is taken by" in failed.stderr
    assert f"(process {os.getpid()})" in failed.stderr
    assert "make dev PORT=" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_bad_variables_stop_the_start_with_all_their_names(tmp_path: Path) -> None:
    failed = command("dev", "--port", "0", "--data-dir", str(tmp_path), ALLOWED_ORIGINS="*", JWT_LEEWAY_SECONDS="soon")
    assert failed.returncode == 1
    assert "ALLOWED_ORIGINS" in failed.stderr
    assert "JWT_LEEWAY_SECONDS" in failed.stderr


def test_data_survives_a_restart_a_broken_folder_is_reported_and_reset_starts_over(tmp_path: Path) -> None:
    with dev_stack(tmp_path) as first:
        secrets = (tmp_path / "secrets.json").read_text()
        roles = (tmp_path / "postgres" / "roles.json").read_text()
        assert first.stop() == 0
    with dev_stack(tmp_path):
        assert (tmp_path / "secrets.json").read_text() == secrets
        assert (tmp_path / "postgres" / "roles.json").read_text() == roles
    at_rest = command("migrate", "down", "base", "--yes", "--data-dir", str(tmp_path))
    assert at_rest.stdout.strip().endswith("→ nothing")

    (tmp_path / "postgres" / "cluster" / "PG_VERSION").write_text("9.6\n")
    broken = command("dev", "--port", "0", "--data-dir", str(tmp_path))
    assert broken.returncode == 1
    assert "make dev RESET=1" in broken.stderr
    assert "Traceback" not in broken.stderr

    with dev_stack(tmp_path, "--reset"):
        assert (tmp_path / "secrets.json").read_text() != secrets


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with dev_stack(tmp_path) as running:
        get(running, "/api/v1/health/live")
        processes = descendants(running)
        assert len(processes) >= 4
        assert running.stop(number) == 0
        assert survivors(processes, 0.5) == []
        running.wait_for_line(lambda line: line == "stopped")


def test_a_kill_leaves_no_process_either(tmp_path: Path) -> None:
    with dev_stack(tmp_path) as running:
        get(running, "/api/v1/health/live")
        processes = descendants(running)
        running.process.kill()
        running.process.wait()
        assert survivors(processes, 20) == []


def test_a_signal_while_it_starts_leaves_no_process(tmp_path: Path) -> None:
    starting = start_command("dev", tmp_path)
    deadline = time.monotonic() + 30
    while not (processes := descendants(starting)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert starting.stop(signal.SIGTERM) == 0
    # The process that was creating the data cleans it up.
    assert survivors(processes, 15) == []


def test_another_provider_is_used_and_said(tmp_path: Path) -> None:
    other = {
        "OIDC_ISSUER_URL": "http://127.0.0.1:9",
        "OIDC_CLIENT_ID": "client",
        "OIDC_CLIENT_SECRET": "canary-of-a-secret",
        "OIDC_AUDIENCE": "api",
    }
    with dev_stack(tmp_path, env=other) as running:
        said = "\n".join(running.ready_lines)
        assert "http://127.0.0.1:9 (OIDC_ISSUER_URL" in said
        assert f"{running.url}/api/v1/auth/callback" in said
        assert "sign-in won't work: http://127.0.0.1:9/.well-known/openid-configuration" in said
        assert DEMO not in said
        assert not any("canary-of-a-secret" in line for line in running.lines)
        assert len(running.ready_lines) <= 15


@pytest.mark.parametrize("name", ["dev", "serve"])
def test_the_database_of_a_newer_version_stops_the_start_with_the_ways_out(tmp_path: Path, name: str) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    try:
        addresses = server.start()
        execute(
            addresses.owner_url,
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('9999')",
        )
    finally:
        server.stop()
    stopped = command(name, "--port", "0", "--data-dir", str(tmp_path))
    assert stopped.returncode == 1
    assert stopped.stderr == (
        "✗ the database was made by a newer Tenantgate: it is at revision 9999, and the newest that this version "
        f"knows is {migrator.head()}\n"
        "  → check out that version again; or give this one its own data: --data-dir .local-2; "
        "or make dev RESET=1   (starts over; deletes the data)\n"
    )


def test_serve_runs_the_containers_application(tmp_path: Path) -> None:
    with serve_stack(tmp_path) as running:
        assert len(running.ready_lines) <= 15
        assert get(running, "/api/v1/health/ready").json()["status"] == "ready"
        assert "apigw-requestid" not in get(running, "/api/v1/health/live").headers
        assert command("token", "--data-dir", str(tmp_path)).returncode == 0
        processes = descendants(running)
        assert running.stop() == 0
        assert survivors(processes, 0.5) == []


def test_commands_that_need_a_running_stack_say_so(tmp_path: Path) -> None:
    token = command("token", "--data-dir", str(tmp_path))
    assert (token.returncode, token.stdout) == (1, "")
    assert "make dev" in token.stderr
    migrate = command("migrate", "up", "--data-dir", str(tmp_path))
    assert migrate.returncode == 1
    assert "there is no database" in migrate.stderr


def test_errors_of_a_function_are_shown_in_the_terminal_until_it_is_fixed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    template = (
        HEAD
        + function_resource("Broken", "broken", event("GET", "/broken"))
        + function_resource("Prints", "prints", event("GET", "/prints"))
    )
    project.mkdir()
    code = "def lambda_handler(event, context):\n    print('printed by hand')\n    raise ValueError('the cause')"
    path = write_project(project, template, {"broken": "import nothing_like_this", "prints": code})
    # No built-in provider in this template.
    other = {"OIDC_ISSUER_URL": "http://127.0.0.1:9", "OIDC_CLIENT_ID": "client", "OIDC_CLIENT_SECRET": "secret"}
    with dev_stack(tmp_path / "data", "--template", str(path), env=other) as running:
        assert get(running, "/broken").status_code == 500
        running.wait_for_line(
            lambda line: (
                line.startswith("✗ Broken can't be loaded: Runtime.ImportModuleError")
                and "No module named 'nothing_like_this'" in line
            )
        )
        assert get(running, "/prints").status_code == 500
        running.wait_for_line(lambda line: line == "│ Prints: printed by hand")
        running.wait_for_line(lambda line: line == "✗ Prints failed: ValueError: the cause")
        running.wait_for_line(lambda line: line.endswith("logs/Prints.log"))
        write_handler(project, "prints", "def lambda_handler(event, context):\n    return {'fixed': True}")
        running.wait_for_line(lambda line: line == "changed: handler.py; restarting: Prints")
        assert get(running, "/prints").json() == {"fixed": True}


def test_a_template_that_cannot_be_emulated_stops_the_start_with_its_place(tmp_path: Path) -> None:
    template = HEAD + function_resource("Old", "old", "Events: { A: { Type: Api } }\n")
    path = write_project(tmp_path, template, {"old": "def lambda_handler(event, context): pass"})
    failed = command("dev", "--port", "0", "--data-dir", str(tmp_path / "data"), "--template", str(path))
    assert failed.returncode == 1
    assert "Resources.Old.Properties.Events.A: an event of type Api needs Path and Method" in failed.stderr
