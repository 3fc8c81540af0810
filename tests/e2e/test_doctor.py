"""`tenantgate doctor` against the running product, behind the gateway and in the container."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.fixtures.stack.commands import ROOT, RunningStack

pytestmark = pytest.mark.xdist_group("stacks")


@pytest.mark.parametrize("name", ["gateway", "container"])
def test_a_running_stack_passes_every_check(name: str, request: pytest.FixtureRequest) -> None:
    stack: RunningStack = request.getfixturevalue(name)
    ends = time.monotonic() + 60
    while (shown := _doctor(stack))["problems"] and time.monotonic() < ends:
        # The republisher begins a moment after the ready line.
        time.sleep(1)

    by_status = {check["check"]: check["status"] for check in shown["checks"]}
    assert {check for check, status in by_status.items() if status == "skipped"} == {"kms key", "security events"}
    assert set(by_status.values()) == {"ok", "skipped"}, shown
    assert str(stack.data_dir) in shown["target"]


def _doctor(stack: RunningStack) -> dict[str, Any]:
    command = [sys.executable, "-m", "tenantgate_cli", "doctor", "--data-dir", str(stack.data_dir), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed
