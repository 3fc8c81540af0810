"""The output of `sam build` for this machine's processor, from template and makefiles."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.build.sam import native_architecture
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres, PostgresAddresses
from tests.fixtures.template.built import built_bundles


@pytest.fixture(scope="session")
def build_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_bundles(tmp_path_factory, native_architecture())


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresAddresses]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.start()
    finally:
        server.stop()
