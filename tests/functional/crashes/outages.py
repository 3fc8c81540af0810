"""PostgreSQL is killed again and again while people work, and started again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tenantgate.database import migrator
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.crashes.ledger import Ledger, Visit, read
from tests.fixtures.crashes.people import People
from tests.fixtures.crashes.stack import crash_stack
from tests.fixtures.databases.postgres import crash
from tests.fixtures.faults.flows import COOKIE, WORKS, Flows
from tests.fixtures.faults.stack import FaultStack
from tests.functional.crashes.comparison import compare, rows
from tests.functional.faults.matrix import FLOWS

# Goal: after PostgreSQL accepts connections again.
HEALTHY_SECONDS = 5.0
# No request waits longer, also if PostgreSQL goes away in its middle: it makes several calls.
LONGEST_RESPONSE = 15.0
# Of the sessions that have ended, those whose cookies are sent after each kill.
_TRIED_COOKIES = 5


@dataclass
class Outages:
    """The result of a run. `healthy`: the seconds after each kill. `found`: one line for each fault.

    `gone`: sessions that ended because an outage had interrupted their refresh.
    """

    kills: int = 0
    acknowledged: int = 0
    requests: int = 0
    interrupted: int = 0
    gone: int = 0
    slowest_response: float = 0.0
    healthy: list[float] = field(default_factory=list)
    visits: dict[int, Visit] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


def run_outages(
    server: EmbeddedPostgres,
    redis_url: str,
    folder: Path,
    *,
    kills: int,
    people: int = 6,
    longest_outage: float = 6.0,
    patience: float = 60.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Outages:
    """Kill the server this many times. `redis_url`: of an empty Valkey.

    `longest_outage`, `patience`: seconds from a kill to the start, and from there until a recovery is given up.
    """
    addresses, done = server.start(), Outages()
    migrator.upgrade(addresses.owner_url)
    ledger = Ledger(folder / "ledger.jsonl")
    with crash_stack(addresses.app_url, redis_url, folder) as stack, Flows(stack).open() as flows:
        flows.prepare()
        with People(stack, ledger, number=people) as load:
            for number in range(kills):
                # The first outage is longer than the list of revocations counts.
                away = longest_outage if number == 0 else random.random() ** 2 * longest_outage
                _kill(server, away=away)
                _recover(stack, flows, done, patience=patience)
                _try_ended_sessions(stack, ledger, done)
                done.kills += 1
                progress(f"{done.kills} kills: healthy after {done.healthy[-1]:.2f} s, {len(load.found)} problems")
        _judge_responses(load, done)
        if '"SYS_003"' in stack.container.log.read_text(encoding="utf-8"):
            done.found.append("the container's log has an unexpected failure")
    ledger.close()
    done.visits = _visits(ledger)
    done.acknowledged, done.gone = ledger.acknowledged, sum(visit.gone for visit in done.visits.values())
    done.lost = [f"visit {lost.visit}: {lost.text}" for lost in compare(done.visits, rows(addresses.admin_url))]
    return done


def _kill(server: EmbeddedPostgres, *, away: float) -> None:
    time.sleep(random.uniform(0.3, 2))
    # Every third was frozen before: requests wait for responses that never come.
    crash(server, frozen_for=1.5 if random.random() < 1 / 3 else 0.0)
    time.sleep(away)
    server.start()


def _recover(stack: FaultStack, flows: Flows, done: Outages, *, patience: float) -> None:
    """Note the seconds until the container is ready and every flow works."""
    began, problem = time.monotonic(), ""
    while (seconds := time.monotonic() - began) < patience:
        try:
            url = f"{stack.container.url}/api/v1/health/ready"
            assert httpx2.get(url, timeout=10, trust_env=False).status_code == 200, "not ready"
            flows.prepare()
            ran = flows.run(*FLOWS)
            failed = {flow: one.outcome for flow, one in ran.items() if one.outcome != WORKS}
            assert not failed, failed
        except (AssertionError, httpx2.HTTPError) as error:
            problem = f"{type(error).__name__}: {error}"
            time.sleep(0.05)
        else:
            seconds = time.monotonic() - began
            break
    done.healthy.append(seconds)
    if seconds > HEALTHY_SECONDS:
        done.found.append(f"kill {done.kills}: healthy after {seconds:.2f} s, before that: {problem}")


def _try_ended_sessions(stack: FaultStack, ledger: Ledger, done: Outages) -> None:
    ended = [visit for visit in _visits(ledger).values() if visit.ended or visit.gone]
    for visit in random.sample(ended, min(_TRIED_COOKIES, len(ended))):
        headers = {"cookie": f"{COOKIE}={random.choice(visit.secrets)}"}
        url = f"{stack.container.url}/api/v1/auth/validate"
        if (status := httpx2.get(url, headers=headers, timeout=30, trust_env=False).status_code) != 401:
            done.found.append(f"the cookie of a session that has ended: {status}")


def _visits(ledger: Ledger) -> dict[int, Visit]:
    # The last line may not be complete yet.
    text = ledger.path.read_text(encoding="utf-8")
    return read(text[: text.rfind("\n") + 1].splitlines())


def _judge_responses(load: People, done: Outages) -> None:
    done.requests, done.interrupted, done.slowest_response = load.requests, load.interrupted, load.slowest
    done.found += [f"{problem.step}: {problem.text}" for problem in load.found]
    if load.slowest > LONGEST_RESPONSE:
        done.found.append(f"a response took {load.slowest:.1f} s")
