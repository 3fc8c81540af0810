"""`tenantgate seed`: fill a development database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database.pool import PooledDatabase
from tenantgate.sessions.models import SessionPolicy
from tenantgate_cli.console import Failure, err, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.deployment import Deployment, deployment, explained
from tenantgate_cli.stack.seeding import Seed, Seeded, Size
from tenantgate_cli.stack.variables import environment


def run(size: Size, data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Add the rows and print their numbers. Raises Failure, always outside development."""
    place = deployment(data_dir, url)
    _require_development(place, url)
    sealer = _sealer(DataFolder(data_dir), url)
    began = time.monotonic()
    with explained(place.database_url), _progress(size.sessions) as advance:
        asyncio.run(_plant(place, sealer, size, advance))
    seconds = time.monotonic() - began
    if as_json:
        print_result(tenants=size.tenants, users=size.users, sessions=size.sessions, seconds=round(seconds, 1))
        return
    say(f"{size.tenants:,} tenants, {size.users:,} users and {size.sessions:,} sessions in {seconds:.0f} s")
    minutes = place.settings.session_idle_minutes
    say(f"they time out as others do: after {minutes} minutes without use, the sweep removes them")


async def _plant(place: Deployment, sealer: Sealer, size: Size, advance: Callable[[int], None]) -> Seeded:
    settings = place.settings
    database = PooledDatabase(place.database_url)
    policy = SessionPolicy(
        idle_seconds=settings.session_idle_minutes * 60, absolute_seconds=settings.session_absolute_hours * 3600
    )
    try:
        seed = Seed(database, sealer, policy, settings.token_policy.issuers[0].issuer, _new_tenant_id)
        return await seed.plant(size, on_progress=advance)
    finally:
        await database.dispose()


def _new_tenant_id() -> str:
    return f"org-{uuid4()}"


def _require_development(place: Deployment, url: str | None) -> None:
    if url and environment().get("ENVIRONMENT", "").strip().lower() != "development":
        raise Failure(
            "the rows are for development only: ENVIRONMENT isn't `development` here",
            "set ENVIRONMENT=development if the database of this URL is one",
        )
    if not place.settings.is_development:
        raise Failure("the rows are for development only", "make dev   (and seed its database)")


def _sealer(folder: DataFolder, url: str | None) -> Sealer:
    """Return the keys of the stack, or those of the shell; without any, new ones, by which no token opens later."""
    stored = environment() if url else folder.secrets()
    keys = [key.strip() for key in stored.get("COOKIE_SEALING_KEYS", "").split(",") if key.strip()]
    try:
        return Sealer(keys or [new_sealing_key()])
    except ValueError as problem:
        raise Failure(f"COOKIE_SEALING_KEYS: {problem}") from None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error; without a terminal, a line for each tenth."""
    if err.is_terminal:
        columns = (TextColumn("sessions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err) as progress:
            task = progress.add_task("sessions", total=total)
            yield lambda count: progress.advance(task, count)
        return
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if before * 10 // total < done * 10 // total:
            err.print(f"sessions {done:,} of {total:,}", soft_wrap=True)

    yield advance
