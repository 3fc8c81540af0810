"""The container's server with short limits."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from container.connections import ConnectionLimits
from tenantgate_cli.paths import ROOT
from tests.fixtures.servers.ports import reserved_port

LIMITS = ConnectionLimits(
    connections=8,
    spare_connections=2,
    header_seconds=0.6,
    body_seconds=0.8,
    request_seconds=1.2,
    response_seconds=0.8,
    idle_seconds=1,
)
# Tolerance for a busy machine.
SLACK = 3


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK


@pytest.fixture(scope="package")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running(LIMITS, tmp_path_factory.mktemp("container")) as chosen:
        yield chosen


@pytest.fixture
def patient_port(tmp_path: Path) -> Iterator[int]:
    """Start a server that waits until a test has connected all clients."""
    with running(replace(LIMITS, header_seconds=30, idle_seconds=30), tmp_path) as chosen:
        yield chosen


@pytest.fixture
def patient_idle_port(tmp_path: Path) -> Iterator[int]:
    """Start a server that lets clients be idle for long between requests, but not within one."""
    with running(replace(LIMITS, idle_seconds=30), tmp_path) as chosen:
        yield chosen


@contextmanager
def running(
    limits: ConnectionLimits, folder: Path, *, database: str = "127.0.0.1:9", errors: tuple[str, ...] = ("SYS_010",)
) -> Iterator[int]:
    """Run the container's server in a separate process, and yield its port. `errors`: the codes that it may log."""
    with reserved_port() as port:
        yield from _serving(port, limits, folder, database, errors)


def _serving(
    port: int, limits: ConnectionLimits, folder: Path, database: str, accepted: tuple[str, ...]
) -> Iterator[int]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}",
        "ENVIRONMENT": "production",
        "PORT": str(port),
        "PUBLIC_BASE_URL": "https://auth.example.com",
        "ALLOWED_ORIGINS": "https://app.example.com",
        "DATABASE_URL": f"postgresql://user:password@{database}/none?sslmode=verify-full",
        "OIDC_ISSUER_URL": "https://issuer.example.com",
        "OIDC_CLIENT_ID": "tenantgate",
        "OIDC_CLIENT_SECRET": "a secret for tests",
        "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        # uvicorn would read this variable if the container didn't turn it off.
        "FORWARDED_ALLOW_IPS": "*",
    }
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fixtures.servers.limited_container", json.dumps(asdict(limits))],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(log, process)
        yield port
        assert process.poll() is None
        lines = [line for line in log.read_text().splitlines() if '"level":"ERROR"' in line]
        assert not [line for line in lines if not any(code in line for code in accepted)], "a client caused an error"
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while "Uvicorn running" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
