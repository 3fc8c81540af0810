"""What every test shares."""

from collections.abc import Iterator

import pytest

from tests.fixtures.databases.postgres import database_urls, postgres_server
from tests.fixtures.process.logs import logging_put_back
from tests.fixtures.programs.requires import MISSING, SYSTEM_PACKAGES
from tests.fixtures.stack.running import container, gateway

__all__ = ["container", "database_urls", "gateway", "postgres_server"]  # fixtures


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    with logging_put_back():
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_unconfigure() -> None:
    # After pytest's own last line, so that it is what a newcomer sees.
    if MISSING:
        packages = " ".join(SYSTEM_PACKAGES[program] for program in MISSING)
        print(f"Some tests were skipped for want of {', '.join(MISSING)}: apt-get install {packages}")
