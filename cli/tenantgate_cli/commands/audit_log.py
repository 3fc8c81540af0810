"""`tenantgate audit verify`, `prove` and `checkpoint`: the logs of a database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.pool import PooledDatabase
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.errors import AnchorUnavailable, Unproven
from tenantgate.transparency.notes import verifier_key
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.verification.anchored import AnchoredCheckpoints
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.models import Finding, LogResult
from tenantgate.transparency.verification.proving import Prover
from tenantgate.transparency.verification.sealed import SealedStatements
from tenantgate.transparency.verification.tasks import all_tenants, log_verifier, read_anchors, sizes
from tenantgate.transparency.wiring import anchors, signing_keys
from tenantgate_cli.commands.check_proof import known_note
from tenantgate_cli.commands.data_keys import secrets_of
from tenantgate_cli.console import Failure, err, printable, say, show_failure
from tenantgate_cli.results import Problem, print_result
from tenantgate_cli.stack.deployment import Deployment, deployment, explained

_SECOND = 1_000_000
_TAMPERED = "change nothing in the database or the anchors, and compare with a backup (docs/AUDIT.md)"


@dataclass(frozen=True, slots=True)
class Place:
    """The logs that a command works on.

    `keys`: verifier keys; without any, those of the deployment. `anchors`: a folder instead of the deployment's.
    """

    data_dir: Path
    database_url: str | None
    keys: Sequence[str]
    anchors: Path | None = None


def verify(place: Place, tenant: str | None, *, as_json: bool) -> bool:
    """Verify one log or all, print the findings, and return whether nothing is wrong. Raises Failure."""
    began = time.monotonic()
    if place.anchors is not None and not place.anchors.is_dir():
        raise Failure(f"{printable(str(place.anchors))} isn't a folder", "give the folder of the anchors")

    async def work(
        database: PooledDatabase, keys: LogKeys, found: Deployment
    ) -> tuple[list[LogResult], AnchoredCheckpoints | None, SealedStatements]:
        where = FolderAnchors(place.anchors) if place.anchors is not None else anchors(found.settings)
        anchored = None if where is None else await read_anchors(where, keys, only=tenant)
        logs = LogPages(database)
        tenants = [tenant] if tenant else await all_tenants(logs, LogRepository(database), anchored)
        verifier = await log_verifier(logs, keys, anchored)
        total = sum([size async for size in sizes(logs, tenants)])
        with _progress(total) as advance:
            results = [await verifier.verify(one, on_progress=advance) for one in tenants]
        return results, anchored, verifier.stated

    results, anchored, stated = _run(place, work)
    general = [] if anchored is None else anchored.findings[None]
    bad = [result for result in results if result.wrong]
    if as_json:
        problems = [Problem(_line(result.tenant_id, result.findings[0]), _TAMPERED) for result in bad]
        problems += [Problem(finding.text, _TAMPERED) for finding in general]
        print_result(
            *problems,
            logs=[_members(result) for result in results],
            has_anchors=anchored is not None,
            last_statement=None if stated.last is None else stated.last // _SECOND,
            longest_pause=stated.longest_pause // _SECOND,
        )
        return not problems
    for result in bad:
        # The first of the events, if there is one: the other findings often follow from it.
        first = next((finding for finding in result.findings if finding.event_id), result.findings[0])
        others = f" (and {result.wrong - 1:,} more findings)" if result.wrong > 1 else ""
        show_failure(Failure(_line(result.tenant_id, first) + others, _TAMPERED))
    for finding in general:
        show_failure(Failure(printable(finding.text), _TAMPERED))
    _summarize(results, len(bad), time.monotonic() - began, has_anchors=anchored is not None)
    _tell_statements(stated)
    return not bad and not general


def prove(place: Place, tenant: str, event: str, output: Path | None, *, as_json: bool) -> None:
    """Write the proof of an event. Raises Failure."""
    try:
        event_id = UUID(event)
    except ValueError:
        raise Failure(f"{printable(event)} isn't the id of an event", "give the `id` of its row") from None

    async def work(database: PooledDatabase, keys: LogKeys, _: Deployment) -> str:
        return (await Prover(LogPages(database), keys).inclusion(tenant, event_id)).text

    _write(_run(place, work), output or Path(f"{event_id}.tlog-proof"), as_json=as_json)


def checkpoint(place: Place, tenant: str, since: Path | None, output: Path | None, *, as_json: bool) -> None:
    """Write the newest checkpoint, or the proof that it continues the one in the file `since`. Raises Failure.

    `since`: a checkpoint, or the proof in which an earlier call wrote one.
    """
    known = None if since is None else known_note(since)

    async def work(database: PooledDatabase, keys: LogKeys, _: Deployment) -> str:
        prover = Prover(LogPages(database), keys)
        if known is None:
            return (await prover.newest(tenant))[0]
        return (await prover.consistency(tenant, known)).text

    _write(_run(place, work), output or Path("log.checkpoint" if known is None else "log.proof"), as_json=as_json)


def _run[T](place: Place, work: Callable[[PooledDatabase, LogKeys, Deployment], Awaitable[T]]) -> T:
    try:
        given = [verifier_key(text).public_key for text in place.keys]
    except Unproven as error:
        raise Failure(f"--key: {error}", "copy the whole verifier key of one of the deployment's logs") from None
    found = deployment(place.data_dir, place.database_url)

    async def run() -> T:
        database = PooledDatabase(found.database_url)
        try:
            secrets = secrets_of(found, place.data_dir, place.database_url)
            keys = LogKeys(given or await signing_keys(found.settings, secrets).public_keys())
            return await work(database, keys, found)
        finally:
            await database.dispose()

    with explained(found.database_url):
        try:
            return asyncio.run(run())
        except Unproven as error:
            raise Failure(f"no proof: {error}", "tenantgate audit verify") from None
        except (SecretsUnavailable, KeyServiceUnavailable) as error:
            raise Failure(
                f"the key that signs the logs is missing: {error}", "give a verifier key with --key"
            ) from None
        except AnchorUnavailable as error:
            raise Failure(f"the anchors can't be read: {error}", "check the folder or the bucket") from None


def _write(text: str, output: Path, *, as_json: bool) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{printable(str(output))} can't be written: {error.strerror}", "give --output") from None
    if as_json:
        print_result(file=str(output))
    else:
        say(f"✓ {printable(str(output))}", "green")


def _summarize(results: Sequence[LogResult], bad: int, seconds: float, *, has_anchors: bool) -> None:
    events, removed = sum(result.events for result in results), sum(result.removed for result in results)
    unsealed = sum(result.unsealed for result in results)
    checkpoints = sum(result.checkpoints for result in results)
    counts = f"{len(results):,} logs, {events:,} events, {checkpoints:,} checkpoints in {seconds:.1f} s"
    if removed:
        counts += f"; retention removed {removed:,} events"
    if unsealed:
        counts += f"; {unsealed:,} events aren't sealed yet"
    say(f"{bad:,} of {counts}" if bad else f"✓ {counts}: all as they were sealed", "red" if bad else "green")
    if not has_anchors:
        err.print(
            "! no anchors were given: nothing shows whether a log was set back to an earlier state", soft_wrap=True
        )


def _tell_statements(stated: SealedStatements) -> None:
    """Tell since when the sealer has stated nothing: a superuser can keep its statements out, an outage does, too."""
    if stated.last is None:
        say("the sealer has not stated yet that everything is sealed")
        return
    age = max(0, round(time.time()) - stated.last // _SECOND)
    pause = stated.longest_pause // _SECOND
    say(f"the sealer's last statement is {age // 60:,} min old; the longest pause between two was {pause // 60:,} min")


def _line(tenant_id: str, finding: Finding) -> str:
    where = "" if finding.position is None else f" position {finding.position:,},"
    event = "" if finding.event_id is None else f" event {finding.event_id},"
    return printable(f"{tenant_id}:{where}{event} {finding.wrong}: {finding.text}")


def _members(result: LogResult) -> dict[str, object]:
    return {
        **{name: getattr(result, name) for name in ("tenant_id", "events", "removed", "unsealed", "checkpoints")},
        "anchored": result.anchored,
        "wrong": result.wrong,
        "findings": [finding._asdict() for finding in result.findings],
    }


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error; without a terminal, a line for each tenth."""
    if err.is_terminal:
        columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err) as progress:
            task = progress.add_task("events", total=total)
            yield lambda count: progress.advance(task, count)
        return
    done, whole = 0, max(total, 1)

    def advance(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if before * 10 // whole < done * 10 // whole:
            err.print(f"events {done:,} of {total:,}", soft_wrap=True)

    yield advance
