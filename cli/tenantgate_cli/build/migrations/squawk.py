"""Run squawk, and compare its findings with the accepted ones in `accepted.toml`."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tenantgate_cli.build.migrations.sql import MigrationSql
from tenantgate_cli.build.uv import tool, tool_environment
from tenantgate_cli.console import Failure
from tenantgate_cli.results import Problem

SQUAWK_VERSION = "2.70.0"
# The oldest one that the product supports.
POSTGRES_VERSION = "15.0"
ACCEPTED = Path(__file__).with_name("accepted.toml")
_SHOWN = "cli/tenantgate_cli/build/migrations/accepted.toml"
_REMEDY = f"change the migration as CONTRIBUTING.md describes, or write into {_SHOWN} why it may stay"

_IN_TRANSACTION = re.compile(r"^BEGIN;$.*?^COMMIT;$", re.MULTILINE | re.DOTALL)
# They wait without holding up reads and writes.
_HARMLESS = re.compile(
    r"(CREATE (UNIQUE )?INDEX|DROP INDEX|REINDEX (INDEX|TABLE)) CONCURRENTLY "
    r"|ALTER TABLE \w+ VALIDATE CONSTRAINT \w+\s*$",
    re.IGNORECASE,
)


class Finding(NamedTuple):
    """A rule of squawk that a statement of a migration breaks."""

    revision: str
    direction: str
    rule: str
    statement: str
    message: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Findings that stay. An empty `revision` covers every migration, an empty `at` every statement."""

    rule: str
    direction: str
    reason: str
    revision: str = ""
    at: tuple[str, ...] = ()

    def covers(self, finding: Finding, text: str) -> bool:
        """Return True if the entry, with this one of its texts, covers the finding."""
        same_migration = self.revision in ("", finding.revision) and self.direction == finding.direction
        return same_migration and self.rule == finding.rule and text in finding.statement


def read_accepted(path: Path = ACCEPTED) -> list[Accepted]:
    """Return the entries of the file. Raises `Failure` for one without a reason."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
    accepted = [Accepted(**{**entry, "at": tuple(entry.get("at", ()))}) for entry in entries]
    for entry in accepted:
        if len(entry.reason.split()) < 4:
            raise Failure(f"{_SHOWN}: {entry.rule} {entry.revision} has no reason", "write why the finding is accepted")
    return accepted


def findings(migrations: Iterable[MigrationSql]) -> list[Finding]:
    """Run squawk's default rules on the migrations."""
    with tempfile.TemporaryDirectory() as name:
        files = {Path(name) / f"{each.revision}.{each.direction}.sql": each for each in migrations}
        for path, each in files.items():
            path.write_text(each.sql, encoding="utf-8")
        # Otherwise squawk reads the configuration of any folder above.
        (settings := Path(name) / ".squawk.toml").touch()
        options = ("--config", str(settings), "--pg-version", POSTGRES_VERSION, "--reporter", "json")
        done = subprocess.run(
            tool(f"squawk-cli=={SQUAWK_VERSION}", "squawk", *options, *map(str, files)),
            cwd=name,
            env=tool_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            reported = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise Failure(f"squawk failed: {done.stdout}{done.stderr}", "is the package index reachable?") from None
    return [_finding(files[Path(each["file"])], each) for each in reported]


def _finding(migration: MigrationSql, reported: dict[str, Any]) -> Finding:
    first, last = reported["line"], reported["line_end"]
    # They count from 0.
    statement = "\n".join(migration.sql.splitlines()[first : last + 1])
    return Finding(
        migration.revision, migration.direction, str(reported["rule_name"]), statement, str(reported["message"])
    )


def without_limits(migrations: Iterable[MigrationSql]) -> Iterator[Problem]:
    """Yield the statements outside a transaction, where the migrator's limits end, that lock a table for others."""
    for each in migrations:
        outside = _IN_TRANSACTION.sub("", each.sql.removeprefix(each.limits))
        for statement in filter(None, map(str.strip, outside.split(";"))):
            if _HARMLESS.match(statement) is None:
                yield Problem(f"{each.direction} {each.revision}: without a limit for its lock: {statement}", _REMEDY)


def problems(found: Iterable[Finding], accepted: Iterable[Accepted]) -> Iterator[Problem]:
    """Yield the findings that aren't accepted, and the accepted ones that squawk doesn't report."""
    texts = [(entry, text) for entry in accepted for text in entry.at or ("",)]
    used = set[tuple[Accepted, str]]()
    for finding in found:
        covering = {(entry, text) for entry, text in texts if entry.covers(finding, text)}
        used |= covering
        if not covering:
            yield Problem(
                f"{finding.direction} {finding.revision}: {finding.rule}: {finding.message} In: {finding.statement}",
                _REMEDY,
            )
    for entry, text in texts:
        if (entry, text) not in used:
            where = f"{entry.direction} {entry.revision or 'of any migration'}"
            yield Problem(f"{where}: squawk doesn't report {entry.rule} {text}".rstrip(), f"remove it from {_SHOWN}")
