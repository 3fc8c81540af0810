"""Fixtures and set-up of all tests: logging, event loop, environment."""

import os
from collections.abc import Iterator

import pytest

from tests.fixtures.audit.marked import limits_forgotten
from tests.fixtures.audit.recording import _records
from tests.fixtures.browsers.chromium import chromium, complaints, page
from tests.fixtures.databases.postgres import database_urls, postgres_server
from tests.fixtures.databases.valkey import own_valkey, redis_url, valkey_server
from tests.fixtures.process.logs import logging_restored, without_json_logs
from tests.fixtures.programs.requires import MISSING, SYSTEM_PACKAGES
from tests.fixtures.revoked.nothing import nothing_is_revoked_without_settings
from tests.fixtures.stack.running import container, gateway

__all__ = [  # fixtures
    "_records",
    "chromium",
    "complaints",
    "container",
    "database_urls",
    "gateway",
    "own_valkey",
    "page",
    "postgres_server",
    "redis_url",
    "valkey_server",
]


@pytest.fixture(autouse=True, scope="module")
def _no_log_of_imports() -> None:
    without_json_logs()


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    with logging_restored():
        yield


@pytest.fixture(autouse=True)
def _audit_line_limits() -> None:
    limits_forgotten()


@pytest.fixture(autouse=True, scope="session")
def _nothing_is_revoked_without_settings() -> Iterator[None]:
    with nothing_is_revoked_without_settings():
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of `@pytest.mark.anyio`, for tests and for fixtures of every scope."""
    return "asyncio"


def pytest_configure() -> None:
    # They set the width of the command line's output; xdist sets them for its workers.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)


def pytest_unconfigure() -> None:
    # After pytest's own last line, where a newcomer sees it.
    if MISSING:
        packages = " ".join(SYSTEM_PACKAGES[program] for program in MISSING)
        print(f"Some tests were skipped because {', '.join(MISSING)} is missing: apt-get install {packages}")
