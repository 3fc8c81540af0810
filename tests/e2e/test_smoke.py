"""`tenantgate smoke` against the running product, behind the gateway and in the container."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.fixtures.stack.commands import ROOT, RunningStack

pytestmark = pytest.mark.xdist_group("stacks")


def smoke(stack: RunningStack, *options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "tenantgate_cli", "smoke", stack.url, "--data-dir", str(stack.data_dir), "--json"]
    # A busy machine starts the functions slowly; the limits themselves have their own tests.
    command += ["--timeout", "60"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(params=["gateway", "container"])
def stack(request: pytest.FixtureRequest) -> RunningStack:
    running: RunningStack = request.getfixturevalue(request.param)
    return running


def test_everything_passes_with_a_token_of_the_demo_user(stack: RunningStack) -> None:
    status, shown = smoke(stack)

    by_status = {check["check"]: check["status"] for check in shown["checks"]}
    # The product's own routes require no scope.
    assert by_status.pop("missing scope") == "skipped"
    assert set(by_status.values()) == {"ok"}, shown
    assert (status, shown["ok"], shown["problems"]) == (0, True, [])


def test_a_token_that_is_not_accepted_fails_its_line_only(stack: RunningStack) -> None:
    status, shown = smoke(stack, "--token", "a.b.c")

    assert status == 1
    assert [check["check"] for check in shown["checks"] if check["status"] == "failed"] == ["token"]
