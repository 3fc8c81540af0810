"""A migrated database behind PgBouncer with few connections to the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.databases.pgbouncer import PgBouncer, pgbouncer
from tests.fixtures.databases.postgres import DatabaseUrls


@pytest.fixture(scope="module")
def pooler(database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgBouncer]:
    folder: Path = tmp_path_factory.mktemp("pgbouncer")
    with pgbouncer(database_urls, folder, connections=3) as serving:
        yield serving
