"""`.railway/railway.ts`, checked against the types of Railway's package and evaluated as its command line does it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenantgate.settings.deployment import DeploymentSettings
from tenantgate_cli.generate.railway import PROJECT, project_variables
from tenantgate_cli.paths import ROOT
from tests.fixtures.programs.node_packages import install
from tests.fixtures.programs.requires import requires_node

pytestmark = requires_node

FOLDER = PROJECT.parent
TSC = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"


@pytest.fixture(scope="module")
def compiled() -> Iterator[Path]:
    """The project file as JavaScript, in the folder of the packages that it imports."""
    install(FOLDER)
    out = FOLDER / "node_modules" / ".compiled"
    tsc("--noEmit", "false", "--outDir", str(out))
    yield out / "railway.js"
    (out / "railway.js").unlink()


def tsc(*arguments: str) -> None:
    done = subprocess.run(
        ["node", str(TSC), "--project", str(FOLDER), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def resources(compiled: Path, environment: str) -> dict[str, Any]:
    script = Path(__file__).with_name("evaluate.mjs")
    done = subprocess.run(
        ["node", str(script), str(compiled), environment], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {resource["name"]: resource for resource in json.loads(done.stdout)["resources"]}


def test_its_types_are_those_of_the_package(compiled: Path) -> None:
    # Compiled means type-checked; an unknown member is an error.
    assert compiled.is_file()
    broken = FOLDER / "broken.test.ts"
    broken.write_text(PROJECT.read_text(encoding="utf-8").replace("drainingSeconds", "drainSeconds"))
    try:
        command = ["node", str(TSC), "--noEmit", "--strict", "--module", "nodenext", "--skipLibCheck", str(broken)]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    finally:
        broken.unlink()
    assert "'drainSeconds' does not exist in type 'DeployConfig'" in done.stdout


def test_the_api_is_built_migrated_checked_restarted_and_drained(compiled: Path) -> None:
    api = resources(compiled, "production")["API"]
    assert api["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "container/Dockerfile"}
    assert api["deploy"] == {
        "preDeployCommand": ["python -m container.migrate"],
        "healthcheckPath": "/api/v1/health/ready",
        "healthcheckTimeout": 30,
        "restartPolicyType": "ON_FAILURE",
        "restartPolicyMaxRetries": 3,
        "drainingSeconds": 30,
        "numReplicas": 2,
    }
    assert resources(compiled, "pr-7")["API"]["deploy"]["numReplicas"] == 1
    # The container ends before SIGKILL.
    from container.__main__ import SHUTDOWN_SECONDS  # noqa: PLC0415  (uvicorn)

    drains = DeploymentSettings.model_fields["drain_seconds"].default
    assert drains + SHUTDOWN_SECONDS < api["deploy"]["drainingSeconds"]


def test_postgresql_and_valkey_are_part_of_the_project_and_the_databases_are_reached_privately(compiled: Path) -> None:
    found = resources(compiled, "production")
    assert found.keys() == {"Postgres", "Valkey", "API"}
    assert (found["Postgres"]["type"], found["Postgres"]["engine"]) == ("database", "postgres")
    variables = found["API"]["variables"]
    assert variables["DATABASE_URL"] == {
        "type": "reference",
        "resource": "database.Postgres",
        "output": "DATABASE_URL",
    }
    assert variables["REDIS_URL"] == {"type": "reference", "resource": "service.Valkey", "output": "REDIS_URL"}
    assert variables["DATABASE_TLS"]["value"] == variables["REDIS_TLS"]["value"] == "private-network"
    assert "RAILWAY_PRIVATE_DOMAIN" in found["Valkey"]["variables"]["REDIS_URL"]["value"]


def test_valkey_does_not_start_without_a_password(compiled: Path, tmp_path: Path) -> None:
    command = resources(compiled, "production")["Valkey"]["deploy"]["startCommand"]
    (tmp_path / "docker-entrypoint.sh").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "docker-entrypoint.sh").chmod(0o755)

    def start(**variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **variables}
        return subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)

    for refused in (start(), start(VALKEY_PASSWORD="")):
        assert refused.returncode != 0
        assert "set it to a long random text" in refused.stderr
    started = start(VALKEY_PASSWORD="a b$c")
    assert started.stdout.strip().endswith("--maxmemory-policy noeviction --requirepass a b$c")


def test_the_documentation_shows_the_variables_that_the_package_sees(compiled: Path) -> None:
    found = resources(compiled, "production")
    read = {(entry.service, entry.name): entry for entry in project_variables()}
    seen = {
        (service, name): value for service in ("API", "Valkey") for name, value in found[service]["variables"].items()
    }
    assert read.keys() == seen.keys()
    for key, value in seen.items():
        shown = read[key].value
        if value["type"] == "preserve":
            assert (shown, read[key].origin) == ("", "yours")
        elif value["type"] == "literal":
            assert shown == value["value"]
        else:
            assert shown == f"${{{{{value['resource'].partition('.')[2]}.{value['output']}}}}}"


def test_no_old_configuration_file_is_left() -> None:
    # A service can't be managed by both.
    assert not [name for name in ("railway.json", "railway.toml") if (ROOT / name).exists()]
