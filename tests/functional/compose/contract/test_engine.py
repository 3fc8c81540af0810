"""The stack of `container/compose.yaml`, ready with everything that it has."""

import httpx2
import pytest

from tests.fixtures.programs.compose_engine import requires_engine
from tests.fixtures.stack.commands import RunningStack
from tests.functional.compose.test_compose import READY

pytestmark = [pytest.mark.xdist_group("stacks"), requires_engine]


def test_it_is_ready_with_pgvector_and_valkey(container: RunningStack) -> None:
    checks = httpx2.get(f"{container.url}/api/v1/health/ready", trust_env=False, timeout=30).json()["checks"]
    assert checks == READY
