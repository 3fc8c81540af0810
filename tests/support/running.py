"""Fixtures: the whole product running, once per test run, as the gateway over its functions and as the container."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import RunningStack, dev_stack, serve_stack


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """`tenantgate dev`: the API Gateway emulator over every function under the Lambda runtime client."""
    with dev_stack(tmp_path_factory.mktemp("gateway")) as stack:
        yield stack


@pytest.fixture(scope="session")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """`tenantgate serve`: the same routes in one process."""
    with serve_stack(tmp_path_factory.mktemp("container")) as stack:
        yield stack
