"""Valkey is killed, frozen and emptied while several authorizers decide and credentials are revoked."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.database.pool import PooledDatabase
from tenantgate.errors.access import SessionEnded
from tenantgate.revocation.distribution.publisher import Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revocation.repository import RevocationRepository
from tenantgate.revocation.tasks import Republisher
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.crashes.board import Board
from tests.fixtures.crashes.credentials import Credential, Revoker, never_good, write_key_set
from tests.fixtures.crashes.job import AFTER, Job
from tests.fixtures.databases.valkey import command, frozen, killed
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER

type Fault = Literal["killed", "frozen", "emptied"]

FAULTS: tuple[Fault, ...] = get_args(Fault.__value__)
# Goals: seconds from the record of a revocation until all refuse it, and from the end of a fault until all works.
BOUND_SECONDS = 5.0
RECOVERED_SECONDS = 2.0
_REVOCATIONS_PER_SECOND = 5
# After a fault: whether another credential gets no decision meanwhile.
_SETTLE_SECONDS = 2.5
_GIVE_UP_SECONDS = 20.0


@dataclass
class Decisions:
    """The result of a run. `latest`: the seconds after a revocation at which its credential was last allowed.

    `recovered`: the seconds after each fault. `found`: one line for each fault of the product.
    """

    allowed: int = 0
    refused: int = 0
    undecided: int = 0
    revoked: int = 0
    faults: int = 0
    latest: float = 0.0
    wrong: int = 0
    recovered: list[float] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


async def run_decisions(
    database_url: str,
    valkey: EmbeddedValkey,
    folder: Path,
    *,
    decisions: int,
    faults: Callable[[], Iterator[tuple[Fault, float]]],
    calm: float = 0.0,
    deciders: int = 2,
    credentials: int = 300,
    bound: float = BOUND_SECONDS,
    progress: Callable[[str], None] = lambda _: None,
) -> Decisions:
    """Run until this many requests were allowed or refused, and each kind of fault was there.

    `database_url`: migrated. `faults`: each with its seconds. `calm`: seconds between two of them, at most.
    `credentials`: the most that are revoked. `bound`: for proof that wrong decisions are found.
    """
    done = Decisions()
    async with _product(database_url, valkey) as (revoker, republisher):
        made = await revoker.make(credentials)
        job = _job(made, folder, deciders=deciders, bound=bound)
        board = job.open_board()
        with _deciders(job, valkey.start(), folder):
            work = [
                asyncio.create_task(republisher.run(float("inf"))),
                asyncio.create_task(_revoke(revoker, made, board)),
                asyncio.create_task(_use_sessions(revoker, made, board)),
            ]
            await _settled(board, done)
            for fault, seconds in faults():
                await asyncio.sleep(random.random() * calm)
                await asyncio.to_thread(_disturb, valkey, fault, seconds)
                done.recovered.append(await _recovered(board, f"{fault} for {seconds:.1f} s", done))
                done.faults += 1
                progress(f"{_decided(board):,} decisions, {fault} for {seconds:.1f} s: {done.recovered[-1]:.2f} s")
                if _failed(work) or (done.faults >= len(FAULTS) and _decided(board) >= decisions):
                    break
            while _decided(board) < decisions and not _failed(work):
                await asyncio.sleep(0.1)
            board.stop()
        for task in work:
            task.cancel()
        results = await asyncio.gather(*work, return_exceptions=True)
    done.found += [f"{result!r}" for result in results if isinstance(result, Exception)]
    _sum_up(board, job, done)
    return done


@asynccontextmanager
async def _product(database_url: str, valkey: EmbeddedValkey) -> AsyncIterator[tuple[Revoker, Republisher]]:
    """The product's part that isn't an authorizer, with one cache client as in the container."""
    database = PooledDatabase(database_url)
    cache = ValkeyCache(parse_cache_url(valkey.start(), protection="private-network", relaxed=True))
    publisher = Publisher(Recorded(RevocationRepository(database, closed=False)), cache)
    try:
        yield Revoker(database, cache, publisher), Republisher(publisher)
    finally:
        await cache.dispose()
        await database.dispose()


def _job(made: list[Credential], folder: Path, *, deciders: int, bound: float) -> Job:
    found = folder / "found"
    found.mkdir()
    live = next(one for one in reversed(made) if one.session is not None)
    job = Job(str(folder / "board"), deciders, [one.text for one in made], never_good(live), bound, str(found))
    job.write(folder / "job.json")
    write_key_set(folder / "keys.json", made)
    return job


@contextmanager
def _deciders(job: Job, redis_url: str, folder: Path) -> Iterator[None]:
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}",
        "ENVIRONMENT": "test",
        "OIDC_ISSUER_URL": ISSUER,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS_FILE": str(folder / "keys.json"),
        "REDIS_URL": redis_url,
        # A log line for each denial would take longer than the decision.
        "LOG_LEVEL": "CRITICAL",
    }
    with ExitStack() as stack:
        for number in range(job.deciders):
            program = [sys.executable, "-m", "tests.fixtures.crashes.decider", str(folder / "job.json"), str(number)]
            errors = stack.enter_context((folder / f"decider-{number}.log").open("wb"))
            process = subprocess.Popen(program, env=variables, stdout=subprocess.DEVNULL, stderr=errors)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


async def _revoke(revoker: Revoker, made: list[Credential], board: Board) -> None:
    """Revoke one credential after another; the last ones stay."""
    for number, one in enumerate(made[:-AFTER]):
        board.begin(number, time.monotonic())
        await revoker.revoke(one)
        board.end(number, time.monotonic())
        board.place = number + 1
        await asyncio.sleep(random.expovariate(_REVOCATIONS_PER_SECOND))


async def _use_sessions(revoker: Revoker, made: list[Credential], board: Board) -> None:
    """Use the sessions at web functions, as browsers do: these read PostgreSQL and write the entries again."""
    while True:
        place = board.place
        for one in made[max(0, place - 5) : place + AFTER]:
            if one.secret:
                with suppress(SessionEnded):
                    await revoker.sessions.locate(one.secret)
        await asyncio.sleep(0.5)


def _disturb(valkey: EmbeddedValkey, fault: Fault, seconds: float) -> None:
    if fault == "emptied":
        command(valkey.start(), "FLUSHALL")
        return
    with killed(valkey) if fault == "killed" else frozen(valkey):
        time.sleep(seconds)


async def _settled(board: Board, done: Decisions) -> None:
    """Wait until every decider works; the first decision takes as long as a cold start."""
    ends = time.monotonic() + 60
    while not all(board.all("first bearer")) or not all(board.all("first cookie")):
        if time.monotonic() > ends:
            done.found.append("the deciders did not start")
            return
        await asyncio.sleep(0.05)


async def _recovered(board: Board, fault: str, done: Decisions) -> float:
    """Return the seconds until each decider has allowed a token and a cookie, and the last decision was missing."""
    ended = time.monotonic()
    for decider in range(board.deciders):
        board.set(decider, "first bearer", 0)
        board.set(decider, "first cookie", 0)
    while time.monotonic() < ended + _GIVE_UP_SECONDS:
        await asyncio.sleep(0.1)
        works = all(board.all("first bearer")) and all(board.all("first cookie"))
        if works and time.monotonic() > ended + _SETTLE_SECONDS:
            break
    firsts = [at or time.monotonic() for at in board.all("first bearer") + board.all("first cookie")]
    seconds = max(0.0, *(at - ended for at in firsts + board.all("last no decision")))
    if seconds > RECOVERED_SECONDS:
        done.found.append(f"{fault}: recovered after {seconds:.2f} s")
    return seconds


def _decided(board: Board) -> int:
    return board.total("allowed") + board.total("refused")


def _failed(work: Sequence[asyncio.Task[Any]]) -> bool:
    """Tell whether a task has ended by an exception."""
    return any(task.done() and task.exception() is not None for task in work)


def _sum_up(board: Board, job: Job, done: Decisions) -> None:
    done.allowed, done.refused = board.total("allowed"), board.total("refused")
    done.undecided, done.wrong = board.total("no decision"), board.total("wrong")
    done.revoked, done.latest = board.place, max(board.all("latest allowed"))
    for path in sorted(Path(job.found).iterdir()):
        done.found += path.read_text(encoding="utf-8").splitlines()
    board.close()
