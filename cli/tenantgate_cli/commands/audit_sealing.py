"""`tenantgate audit status`, `keys` and `retain`: the sealing of a database, its keys, and retention."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tenantgate.database.pool import PooledDatabase
from tenantgate.secrets.store import SecretStore
from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.checkpoints import log_origin
from tenantgate.transparency.errors import LogBroken
from tenantgate.transparency.models import UNSEALED_WINDOW_SECONDS, QueueState
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.removal import Retention
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.signers import SigningKeys
from tenantgate.transparency.verification.keys import LogKeys, origin_of
from tenantgate.transparency.wiring import log_host, signing_keys
from tenantgate_cli.console import Failure, printable, say
from tenantgate_cli.results import Problem, print_result
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.deployment import Deployment, deployment, explained
from tenantgate_cli.stack.variables import environment

_REMEDY = "look into the log of the function `audit_seal`, or of the container: docs/AUDIT.md"


def status(data_dir: Path, url: str | None, *, as_json: bool) -> bool:
    """Print what isn't sealed or anchored, and return whether it is as new as it must be. Raises Failure."""

    async def work(database: PooledDatabase) -> QueueState:
        return await LogRepository(database).queue()

    state = _run(deployment(data_dir, url).database_url, work)
    is_late = state.oldest_seconds > UNSEALED_WINDOW_SECONDS
    problem = Problem(f"the oldest event or checkpoint has waited for {state.oldest_seconds:,} s", _REMEDY)
    if as_json:
        print_result(*([problem] if is_late else []), **state._asdict(), window_seconds=UNSEALED_WINDOW_SECONDS)
        return not is_late
    say(f"unsealed: events of {state.unsealed_tenants:,} tenants, the oldest for {state.unsealed_seconds:,} s")
    say(f"unanchored: {state.unanchored:,} checkpoints, the oldest for {state.unanchored_seconds:,} s")
    say(f"the unsealed window is {UNSEALED_WINDOW_SECONDS} s")
    if is_late:
        raise Failure(problem.problem, problem.remedy)
    return True


def keys(tenant: str, data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Print the verifier keys of a tenant's log, that of the signing key first. Raises Failure."""
    place = deployment(data_dir, url)

    async def work(database: PooledDatabase) -> list[str]:
        public = LogKeys(await _keys(place, data_dir, url).public_keys())
        # A log keeps the name that its first checkpoint has.
        origin = await origin_of(LogPages(database), public, tenant)
        return [str(key) for key in public.of(origin or log_origin(log_host(place.settings), tenant))]

    texts = _run(place.database_url, work)
    if as_json:
        print_result(verifier_keys=texts)
        return
    for text in texts:
        say(printable(text))


def retain(tenant: str | None, days: int | None, data_dir: Path, owner_url: str | None, *, as_json: bool) -> None:
    """Remove the contents of events that are older than `days`, or `AUDIT_RETENTION_DAYS`. Raises Failure."""
    place = deployment(data_dir, owner_url)
    kept = days or place.settings.audit_retention_days
    if kept is None:
        raise Failure("how long events are kept isn't set", "give --days, or set AUDIT_RETENTION_DAYS")
    url = owner_url or place.settings.database_owner_url or place.database_url
    before = datetime.now(UTC) - timedelta(days=kept)

    async def work(database: PooledDatabase) -> tuple[int, int]:
        retention = Retention(database, _keys(place, data_dir, owner_url))
        tenants = [tenant] if tenant else await _tenants(LogPages(database))
        counts = [await retention.apply(one, before=before) for one in tenants]
        return sum(map(bool, counts)), sum(counts)

    try:
        tenants, events = _run(url, work)
    except LogBroken as error:
        raise Failure(f"a log isn't the one that was sealed: {error}", "tenantgate audit verify") from error
    if as_json:
        print_result(tenants=tenants, events=events, before=int(before.timestamp()))
        return
    say(f"{events:,} events of {tenants:,} tenants removed, which were older than {kept} days")


async def _tenants(logs: LogPages) -> list[str]:
    """Return the registered tenants, and the deployment's own log."""
    found, after = [DEPLOYMENT], ""
    while page := await logs.tenants(after=after):
        found += page
        after = page[-1]
    return found


def _run[T](url: str, work: Callable[[PooledDatabase], Awaitable[T]]) -> T:
    async def run() -> T:
        database = PooledDatabase(url)
        try:
            return await work(database)
        finally:
            await database.dispose()

    try:
        with explained(url):
            return asyncio.run(run())
    except Failure as failure:
        cause = failure.__cause__
        if isinstance(cause, LogBroken):
            raise cause from None
        raise


def _keys(place: Deployment, data_dir: Path, url: str | None) -> SigningKeys:
    from tenantgate.aws.secrets_manager import secrets_client  # noqa: PLC0415  (boto3 is slow to import)

    given: Mapping[str, object] = environment() if url else DataFolder(data_dir).secrets()
    names = (*SECRET_NAMES, *OPTIONAL_SECRET_NAMES)
    store = SecretStore(
        secret_id=place.settings.aws_secrets_manager_secret_id,
        environment={name: str(given[name]) for name in names if given.get(name)},
        client=lambda: secrets_client(place.settings.aws_region),
        fall_back_to_environment=False,
    )
    return signing_keys(place.settings, store)
