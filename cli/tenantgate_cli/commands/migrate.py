"""`tenantgate migrate`: migrate the database of a URL, of a running stack, or of a data folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tenantgate_cli.console import Failure, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.data_folder import DataFolder

NEWER_REMEDY = (
    "run this command with the version that migrated the database (a rollback needs no migration: docs/OPERATIONS.md)"
)


class Moved(NamedTuple):
    """The revisions before and after a migration; None for an empty database."""

    before: str | None
    after: str | None

    @property
    def text(self) -> str:
        if self.before == self.after:
            return f"{self.after or 'nothing'} (nothing to do)"
        return f"{self.before or 'nothing'} → {self.after or 'nothing'}"


class Current(NamedTuple):
    """The revision of the database, None if it is empty, and the newest one that this version knows.

    `newer`: a newer Tenantgate made the database.
    """

    revision: str | None
    newest: str
    newer: bool

    @property
    def text(self) -> str:
        if self.newer:
            return f"{self.revision} (made by a newer Tenantgate; the newest here: {self.newest})"
        newest = "newest" if self.revision == self.newest else f"newest: {self.newest}"
        return f"{self.revision or 'nothing'} ({newest})"


class Planned(NamedTuple):
    """The SQL of migrations that would run; empty if none would."""

    sql: str

    @property
    def text(self) -> str:
        return self.sql.rstrip() or "-- nothing to do"


def report(result: Moved | Current | Planned, *, as_json: bool) -> None:
    """Print the result."""
    if as_json:
        print_result(**result._asdict())
    else:
        say(result.text)


def up(revision: str, data_dir: Path, url: str | None) -> Moved:
    """Apply migrations, and return the revisions before and after. Raises Failure."""
    from tenantgate.database.migrator import upgrade  # noqa: PLC0415

    with _owner_url(data_dir, url) as owner_url, _explained(owner_url):
        moved = upgrade(owner_url, revision)
    return Moved(moved.before, moved.after)


def planned(revision: str, data_dir: Path, url: str | None) -> Planned:
    """Return the SQL that `up` would run, and change nothing. Raises Failure."""
    from tenantgate.database.migrator import upgrade_sql  # noqa: PLC0415

    with _owner_url(data_dir, url) as owner_url, _explained(owner_url):
        return Planned(upgrade_sql(owner_url, revision))


def down(revision: str, data_dir: Path, url: str | None, *, confirmed: Callable[[str], bool] | None) -> Moved:
    """Undo migrations, and return the revisions before and after. Raises Failure.

    `confirmed` decides before data is deleted; None deletes it without a question.
    """
    from tenantgate.database.migrator import current, downgrade, revisions  # noqa: PLC0415
    from tenantgate.database.revisions import BASE, resolve  # noqa: PLC0415

    with _owner_url(data_dir, url) as owner_url, _explained(owner_url):
        known, at = revisions(), current(owner_url)
        target = resolve(revision, at=at, known=known, down=True)
        undone = _after(target if target != BASE else None, at, known)
        if undone and confirmed is not None:
            where = urlsplit(owner_url)
            place = f"{where.path.lstrip('/')} at {where.hostname}"
            if not confirmed(f"Undo {', '.join(undone)} in {place}, and delete the data in their tables?"):
                raise Failure("nothing was undone")
        moved = downgrade(owner_url, target)
    return Moved(moved.before, moved.after)


def ask(question: str) -> bool:
    """Ask on the terminal. Raises Failure without one: a script must say that it means it."""
    if not sys.stdin.isatty():
        raise Failure(f"this needs a confirmation, and there is no terminal to ask on: {question}", "add --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show(data_dir: Path, url: str | None) -> Current:
    """Return the database's revision and the newest one. Raises Failure."""
    from tenantgate.database.migrator import current, revisions  # noqa: PLC0415
    from tenantgate.database.revisions import shown_revision  # noqa: PLC0415

    with _owner_url(data_dir, url) as owner_url, _explained(owner_url):
        at = current(owner_url)
    known = revisions()
    newer = at is not None and at not in known
    return Current(shown_revision(at) if at is not None and newer else at, known[-1], newer)


def _after(target: str | None, at: str | None, known: list[str]) -> list[str]:
    """Return the applied revisions above `target`, newest first: those that a migration down undoes."""
    first = 0 if target is None else known.index(target) + 1
    end = 0 if at is None else known.index(at) + 1
    return known[first:end][::-1]


@contextmanager
def _owner_url(data_dir: Path, url: str | None) -> Iterator[str]:
    if url:
        from tenantgate.settings.parsing import parse_database_url  # noqa: PLC0415

        try:
            parse_database_url(url, tls="private-network")
        except ValueError as problem:
            raise Failure("--database-url (or DATABASE_OWNER_URL) has another form", str(problem)) from None
        yield url
        return
    folder = DataFolder(data_dir)
    if "owner_url" in (state := folder.running()):
        yield state["owner_url"]
        return
    if not folder.postgres.exists():
        raise Failure(f"there is no database in {folder.shown()}", "make dev   (creates one), or give --database-url")
    from tenantgate_cli.stack.servers.launch import ServerBroken  # noqa: PLC0415
    from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres  # noqa: PLC0415

    with folder.held():
        try:
            with EmbeddedPostgres(folder.postgres) as server:
                yield server.start().owner_url
        except ServerBroken as error:
            raise Failure(str(error)) from error


@contextmanager
def _explained(url: str) -> Iterator[None]:
    from tenantgate.errors.base import TenantgateError  # noqa: PLC0415
    from tenantgate_cli.stack.database_failures import failure_of  # noqa: PLC0415

    try:
        yield
    except TenantgateError as error:
        raise failure_of(error, url=url, newer_remedy=NEWER_REMEDY) from error
