"""`tenantgate data-keys`: the data keys of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tenantgate.audit.models import Event
from tenantgate.audit.repository import record
from tenantgate.data_keys.models import KeyGroup, StoredKey
from tenantgate.data_keys.repository import Change, DataKeyRepository
from tenantgate.data_keys.tasks import AllKeys, Done, Selection
from tenantgate.data_keys.wiring import key_encryption
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import Unit
from tenantgate.secrets.store import SecretStore
from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate_cli.console import err, printable, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.deployment import Deployment, deployment, explained
from tenantgate_cli.stack.variables import environment

_HEADINGS = ("tenant", "purpose", "key-encryption key", "keys", "of persons", "retired", "destroyed", "oldest")


def selection(tenant: str | None, purpose: str | None, older_than_days: int | None) -> Selection:
    """Return the keys that the options select."""
    made_before = None if older_than_days is None else datetime.now(UTC) - timedelta(days=older_than_days)
    return Selection(tenant, purpose, made_before)


def show(chosen: Selection, data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Print the numbers of keys. Raises Failure."""

    async def work(keys: AllKeys) -> list[KeyGroup]:
        return [group async for group in keys.groups(chosen)]

    found = _run(work, data_dir, url)
    if as_json:
        print_result(data_keys=[_members(group) for group in found])
        return
    if not found:
        say("there are no data keys yet: the first use of a tenant makes one")
        return
    rows = [_HEADINGS, *(_row(group) for group in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        # One line each, however narrow the terminal: users copy the ids, and programs read the lines.
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        say(line, style="bold" if number == 0 else None)


def rotate(chosen: Selection, data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Replace the keys that encrypt. Raises Failure."""
    with _progress("rotated") as advance:
        done = _run(lambda keys: keys.rotate(chosen, on_progress=advance), data_dir, url)
    _report(done, "rotated", as_json=as_json)


def rewrap(chosen: Selection, data_dir: Path, url: str | None, *, again: bool, as_json: bool) -> None:
    """Wrap the keys with the newest key-encryption key. Raises Failure."""
    with _progress("rewrapped") as advance:
        done = _run(lambda keys: keys.rewrap(chosen, again=again, on_progress=advance), data_dir, url)
    _report(done, "rewrapped", as_json=as_json)


def _report(done: Done, verb: str, *, as_json: bool) -> None:
    if as_json:
        print_result(tenants=done.tenants, keys=done.keys, skipped=done.skipped)
        return
    say(f"{done.keys:,} keys {verb}, in {done.tenants:,} tenants")
    if done.skipped:
        say(f"{done.skipped:,} were changed or destroyed by another process meanwhile")


def _run[T](work: Callable[[AllKeys], Awaitable[T]], data_dir: Path, url: str | None) -> T:
    place = deployment(data_dir, url)

    async def run() -> T:
        database = PooledDatabase(place.database_url)
        try:
            wrapper = key_encryption(place.settings, secrets_of(place, data_dir, url))
            return await work(AllKeys(DataKeyRepository(database, _record), wrapper))
        finally:
            await database.dispose()

    with explained(place.database_url):
        return asyncio.run(run())


async def _record(unit: Unit, key: StoredKey, change: Change) -> None:
    event = Event(
        "DATA_MODIFIED",
        key.tenant_id,
        actor="operator",
        resource_type="data_key",
        resource_id=str(key.id),
        detail={"change": change, "purpose": key.purpose},
    )
    await record(unit, event.stored(None))


def secrets_of(place: Deployment, data_dir: Path, url: str | None) -> SecretStore:
    """Return the deployment's secrets: of this shell with `url`, otherwise of the running stack."""
    from tenantgate.aws.secrets_manager import secrets_client  # noqa: PLC0415  (boto3 is slow to import)

    given: Mapping[str, object] = environment() if url else DataFolder(data_dir).secrets()
    names = (*SECRET_NAMES, *OPTIONAL_SECRET_NAMES)
    return SecretStore(
        secret_id=place.settings.aws_secrets_manager_secret_id,
        environment={name: str(given[name]) for name in names if given.get(name)},
        client=lambda: secrets_client(place.settings.aws_region),
        fall_back_to_environment=False,
    )


@contextmanager
def _progress(verb: str) -> Iterator[Callable[[Done], None]]:
    """Show on standard error how far the work is; without a terminal, a line for each 1,000 keys."""
    if err.is_terminal:
        with err.status(f"0 keys {verb} …") as status:
            yield lambda done: status.update(f"{done.keys:,} keys {verb}, in {done.tenants:,} tenants …")
        return
    shown = 0

    def advance(done: Done) -> None:
        nonlocal shown
        if done.keys // 1000 > shown:
            shown = done.keys // 1000
            err.print(f"{done.keys:,} keys {verb}", soft_wrap=True)

    yield advance


def _row(group: KeyGroup) -> tuple[str, ...]:
    numbers = (f"{number:,}" for number in (group.current, group.subjects, group.retired, group.destroyed))
    oldest = "" if group.oldest is None else f"{group.oldest:%Y-%m-%d}"
    return (printable(group.tenant_id), group.purpose, group.wrapped_by, *numbers, oldest)


def _members(group: KeyGroup) -> dict[str, object]:
    return {**group._asdict(), "oldest": None if group.oldest is None else int(group.oldest.timestamp())}
