"""The image is built once, for all tests in this folder, and gone after the last one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres, PostgresAddresses
from tests.fixtures.databases.postgres import QUICK
from tests.fixtures.image.engine import Engine

# The first test builds the image, from Debian's packages if there is no base image yet.
_SECONDS = 900


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(_SECONDS))
            # On one worker: podman's locks don't belong to a storage, so that two engines disturb each other.
            item.add_marker(pytest.mark.xdist_group("stacks"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Engine]:
    assert pytestconfig.cache is not None
    engine = Engine(tmp_path_factory.mktemp("image"), kept=pytestconfig.cache.mkdir("image"))
    try:
        engine.build()
        yield engine
    finally:
        engine.close()


@pytest.fixture
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresAddresses]:
    """A server without any migration: roles belong to the server, so an empty database isn't a new one."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=QUICK)
    try:
        yield server.start()
    finally:
        server.stop()
