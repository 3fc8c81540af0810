"""squawk on the migrations: nothing is reported, an unsafe migration is, and accepted findings have their reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate.database import migrator
from tenantgate_cli.build.migrations.sql import MigrationSql, migration_sql
from tenantgate_cli.build.migrations.squawk import Accepted, Finding, findings, problems, read_accepted, without_limits
from tenantgate_cli.console import Failure
from tests.fixtures.migrations.written import OUTSIDE, Steps, written_migrations
from tests.fixtures.template.deployed import require_uv

# The rule that reports the statement in an upgrade.
UNSAFE = {
    "ALTER TABLE sessions ADD COLUMN place text NOT NULL": "adding-required-field",
    "ALTER TABLE sessions ADD COLUMN place uuid DEFAULT gen_random_uuid()": "adding-field-with-default",
    "CREATE INDEX place_idx ON sessions (place)": "require-concurrent-index-creation",
    "CREATE INDEX CONCURRENTLY place_idx ON sessions (place)": "ban-concurrent-index-creation-in-transaction",
    "ALTER TABLE sessions DROP COLUMN device": "ban-drop-column",
    "ALTER TABLE sessions RENAME COLUMN device TO machine": "renaming-column",
    "ALTER TABLE sessions RENAME TO logins": "renaming-table",
    "ALTER TABLE sessions ALTER COLUMN version TYPE bigint": "changing-column-type",
    "ALTER TABLE sessions ALTER COLUMN device SET NOT NULL": "adding-not-nullable-field",
    "ALTER TABLE sessions ADD CONSTRAINT short CHECK (length(device) < 99)": "constraint-missing-not-valid",
    "DROP TABLE tenants": "ban-drop-table",
    "ALTER TABLE sessions ADD COLUMN place text NULL DEFAULT": "syntax-error",
}
# The forms that CONTRIBUTING.md describes.
SAFE = {
    "columns": (
        "ALTER TABLE sessions ADD COLUMN place text",
        "ALTER TABLE sessions ADD COLUMN count bigint DEFAULT 0 NOT NULL",
    ),
    "check": ("ALTER TABLE sessions ADD CONSTRAINT short CHECK (length(device) < 99) NOT VALID",),
    "checked": ("ALTER TABLE sessions VALIDATE CONSTRAINT short",),
    "index": (
        f"{OUTSIDE}DROP INDEX CONCURRENTLY IF EXISTS place_idx",
        f"{OUTSIDE}CREATE INDEX CONCURRENTLY IF NOT EXISTS place_idx ON sessions (place)",
    ),
}
FOUND = Finding("0009", "upgrade", "ban-drop-column", "ALTER TABLE sessions DROP COLUMN device", "")


def test_nothing_is_reported_in_the_migrations() -> None:
    require_uv()
    migrations = list(migration_sql())
    assert list(problems(findings(migrations), read_accepted())) == []
    assert list(without_limits(migrations)) == []


def test_every_migration_is_read_up_and_down() -> None:
    written = list(migration_sql())
    assert [(each.revision, each.direction) for each in written] == [
        (revision, direction) for revision in migrator.revisions() for direction in ("upgrade", "downgrade")
    ]
    assert all("alembic_version" in each.sql for each in written)


def test_an_unsafe_statement_is_reported_and_a_safe_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_uv()
    steps: dict[str, Steps] = {f"u{number}": ((statement,), ()) for number, statement in enumerate(UNSAFE)}
    steps |= {revision: (statements, ()) for revision, statements in SAFE.items()}
    written_migrations(tmp_path / "migrations", steps, monkeypatch)
    rules: dict[str, set[str]] = {}
    # Without alembic's own table.
    for found in findings(each for each in migration_sql() if each.direction == "upgrade"):
        if "version_num" not in found.statement:
            rules.setdefault(found.revision, set()).add(found.rule)
    assert {revision: found for revision, found in rules.items() if revision in SAFE} == {}
    for number, (statement, rule) in enumerate(UNSAFE.items()):
        assert rule in rules.get(f"u{number}", ()), statement


def test_a_migration_without_limits_of_its_locks_is_reported() -> None:
    require_uv()
    without = MigrationSql("a", "upgrade", "BEGIN;\nALTER TABLE sessions ADD COLUMN place text;\nCOMMIT;\n")
    assert {found.rule for found in findings([without])} == {"require-lock-timeout", "require-statement-timeout"}


@pytest.mark.parametrize(
    "locking",
    [
        "ALTER TABLE sessions ADD COLUMN place text",
        "ALTER TABLE sessions VALIDATE CONSTRAINT short, ALTER COLUMN device SET NOT NULL",
    ],
)
def test_a_lock_outside_a_transaction_is_reported(
    locking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits of the migrator are those of its transactions."""
    harmless = (*SAFE["index"], f"{OUTSIDE}ALTER TABLE sessions VALIDATE CONSTRAINT short")
    steps: dict[str, Steps] = {"index": (harmless, SAFE["index"]), "alter": ((f"{OUTSIDE}{locking}",), ())}
    written_migrations(tmp_path / "migrations", steps, monkeypatch)
    (found,) = without_limits(migration_sql())
    assert found.problem == f"upgrade alter: without a limit for its lock: {locking}"


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(Accepted("ban-drop-column", "upgrade", "r", "0008"), id="another-revision"),
        pytest.param(Accepted("ban-drop-column", "downgrade", "r"), id="another-direction"),
        pytest.param(Accepted("ban-drop-table", "upgrade", "r"), id="another-rule"),
        pytest.param(Accepted("ban-drop-column", "upgrade", "r", at=("COLUMN place",)), id="another-statement"),
    ],
)
def test_an_entry_covers_only_its_finding_and_a_stale_one_is_reported(entry: Accepted) -> None:
    unaccepted, stale = problems([FOUND], [entry])
    assert unaccepted.problem.startswith("upgrade 0009: ban-drop-column")
    assert "squawk doesn't report" in stale.problem


def test_an_accepted_finding_is_not_reported() -> None:
    assert list(problems([FOUND], [Accepted("ban-drop-column", "upgrade", "r", "0009", ("COLUMN device",))])) == []


def test_an_entry_needs_a_reason(tmp_path: Path) -> None:
    (file := tmp_path / "accepted.toml").write_text(
        '[[accepted]]\nrule = "ban-drop-column"\ndirection = "upgrade"\nrevision = "0009"\nreason = "later"\n'
    )
    with pytest.raises(Failure, match="ban-drop-column 0009 has no reason"):
        read_accepted(file)


def test_a_failure_of_squawk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    require_uv()
    monkeypatch.setattr("tenantgate_cli.build.migrations.squawk.POSTGRES_VERSION", "no version")
    with pytest.raises(Failure, match="squawk failed"):
        findings([MigrationSql("a", "upgrade", "SELECT 1;")])


def test_only_downgrades_have_exceptions_for_every_migration() -> None:
    assert {entry.direction for entry in read_accepted() if not entry.revision} == {"downgrade"}
