"""The statements of the release before, and of this one, on the newest schema: both run during a deployment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.isolation.statements import product_statements
from tests.fixtures.migrations.recorded import COMMAND, broken, recorded

RUNNING = KNOWN_REVISIONS[-2:]


@pytest.fixture
def changed(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    """A database whose schema a test changes."""
    urls = postgres_server.create_database()
    yield urls
    postgres_server.drop_database(urls)


def test_the_record_of_the_newest_revision_is_current() -> None:
    assert recorded(KNOWN_REVISIONS[-1]) == product_statements(), f"write it: {COMMAND}"


@pytest.mark.parametrize("revision", RUNNING)
def test_every_recorded_statement_works_on_the_newest_schema(database_urls: DatabaseUrls, revision: str) -> None:
    statements = recorded(revision)
    assert len(statements) > 15
    assert broken(database_urls.app_url, statements) == {}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("ALTER TABLE sessions DROP COLUMN device", "column s.device does not exist"),
        ("ALTER TABLE sessions RENAME COLUMN device TO machine", "column s.device does not exist"),
        ("ALTER TABLE session_secrets RENAME TO earlier_secrets", 'relation "session_secrets" does not exist'),
        ("DROP TABLE seen_token_ids", 'relation "seen_token_ids" does not exist'),
        ("ALTER TABLE sessions ALTER COLUMN version TYPE text", "operator does not exist: text + integer"),
        ("REVOKE UPDATE ON sessions FROM tenantgate_app", "permission denied for table sessions"),
        (
            "ALTER TABLE revocations DROP CONSTRAINT revocations_name_key",
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
        ),
    ],
)
def test_a_change_that_breaks_a_statement_is_found(changed: DatabaseUrls, change: str, error: str) -> None:
    execute(changed.owner_url, change)
    for revision in RUNNING:
        found = broken(changed.app_url, recorded(revision))
        assert any(text.startswith(error) for text in found.values()), found


def test_an_addition_is_not_found(changed: DatabaseUrls) -> None:
    execute(changed.owner_url, "ALTER TABLE sessions ADD COLUMN place text", "CREATE TABLE places (place text)")
    for revision in RUNNING:
        assert broken(changed.app_url, recorded(revision)) == {}
