"""The suite's container is the one of `container/compose.yaml`, where Docker Compose and an engine are present."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.programs.compose_engine import compose_command
from tests.fixtures.servers.ports import reserved_port
from tests.fixtures.stack.commands import RunningStack
from tests.functional.compose.test_compose import FILE, written

# `test_engine.py` says why.
collect_ignore = [] if compose_command() else ["test_parity.py"]


def _compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*compose_command(), *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("compose")
    with reserved_port() as port:
        file = folder / "env"
        file.write_text("".join(f"{name}={value}\n" for name, value in {**written(), "PORT": str(port)}.items()))
        project = f"tenantgate-{uuid.uuid4().hex[:8]}"
        common = ("--project-name", project, "--env-file", str(file), "--file", str(FILE))
        try:
            started = _compose(*common, "up", "--build", "--wait", "--detach")
            assert started.returncode == 0, started.stderr
            yield _Stack(f"http://localhost:{port}", folder)
        finally:
            _compose(*common, "down", "--volumes", "--timeout", "0")


class _Stack(RunningStack):
    """The suite sends requests only."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.url = url
        self.data_dir = data_dir
