"""Acts by the thousand at containers, an operator and a sealer that are killed at any moment."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fixtures.crashes.acts import GRACE_SECONDS, Entry, Load, ManyTenantsProvider
from tests.fixtures.crashes.operator import Operator
from tests.fixtures.crashes.witness import Noted, install, noted
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.faults.stack import container_settings
from tests.fixtures.providers.built_in import sealing_key
from tests.fixtures.providers.misbehaving import EVENT_AUDIENCE
from tests.fixtures.servers.containers import ContainerProcess, ContainerProcesses, container_processes
from tests.functional.crashes.events import compare, compare_tables, keys_of
from tests.functional.crashes.sealed import seal_and_kill, verified

# No session times out and no token expires during a run.
_LONG_HOURS = 10
_TABLES = {
    "sessions": "SELECT tenant_id, id, version FROM sessions",
    "revocations": "SELECT kind, name FROM revocations",
    "tenants": "SELECT tenant_id FROM tenants",
    "audit_events": "SELECT id, tenant_id, event_type, session_id, resource_id FROM audit_events",
    "audit_queue": "SELECT id FROM audit_queue",
    "audit_leaves": "SELECT id FROM audit_leaves",
}


@dataclass
class Acts:
    """The result of a run. `committed`: acts that were committed, whose caller got no response.

    `found`: one line per fault. `noted`, `tables`: what it was judged by.
    """

    acts: int
    kills: int
    acknowledged: int
    unanswered: int
    committed: int
    found: list[str]
    noted: list[Noted]
    tables: dict[str, list[Any]] = field(repr=False)

    @property
    def events(self) -> int:
        return len(self.tables["audit_events"])


def run_acts(
    urls: DatabaseUrls,
    redis_url: str,
    folder: Path,
    *,
    acts: int,
    containers: int = 3,
    people: int = 6,
    calm: float = 3.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Acts:
    """Run this many acts on a migrated database, and compare them with the audit events.

    `calm`: the longest time in seconds between the recovery of one container and the next kill.
    """
    install(urls.admin_url)
    anchors = folder / "anchors"
    with _stack(urls.app_url, redis_url, folder) as (provider, processes, variables):
        load = Load(provider, processes.start(containers), acts)
        with ThreadPoolExecutor(people + 3) as pool:
            sealing = pool.submit(seal_and_kill, urls.app_url, anchors, load.stopped, calm=calm)
            working = [pool.submit(load.visit) for _ in range(people)]
            working.append(pool.submit(load.operate, Operator(variables, folder / "operator.log")))
            working.append(pool.submit(_kill, load, processes, calm, progress))
            for one in working:
                one.result()
            load.kills += sealing.result()
        for process in load.live:
            process.kill()
    logs = "".join(path.read_text(encoding="utf-8") for path in folder.glob("container-*.log"))
    if '"SYS_003"' in logs:
        load.found.append("a container's log has an unexpected failure")
    _await_rest(urls.admin_url)
    (tenants,) = execute(urls.admin_url, "SELECT DISTINCT tenant_id FROM audit_events")
    load.found += verified(urls.app_url, anchors, [row["tenant_id"] for row in tenants])
    tables = dict(zip(_TABLES, execute(urls.admin_url, *_TABLES.values()), strict=True))
    return _judged(load, list(noted(urls.admin_url)), tables)


@contextmanager
def _stack(
    database_url: str, redis_url: str, folder: Path
) -> Iterator[tuple[ManyTenantsProvider, ContainerProcesses, dict[str, str]]]:
    with ManyTenantsProvider() as provider:
        issuer = {
            "issuer": provider.issuer,
            "audiences": [provider.audience],
            "tenants": "*",
            "event_audiences": [EVENT_AUDIENCE],
        }
        variables = {
            **container_settings(provider, database_url, redis_url),
            "KEY_ENCRYPTION_KEYS": sealing_key(),
            "TRUSTED_ISSUERS": json.dumps([issuer]),
            "JWT_MAX_LIFETIME_MINUTES": str(_LONG_HOURS * 60),
            "SESSION_IDLE_MINUTES": str(_LONG_HOURS * 60),
            "SESSION_REUSE_GRACE_SECONDS": str(GRACE_SECONDS),
        }
        with container_processes(variables, folder) as processes:
            yield provider, processes, variables


def _kill(load: Load, processes: ContainerProcesses, calm: float, progress: Callable[[str], None]) -> None:
    try:
        while not load.stopped.wait(random.uniform(0.1, calm)):
            victim = random.choice(load.live)
            load.live.remove(victim)
            victim.kill()
            load.kills += 1
            load.live += _started(processes)
            progress(f"{len(load.ledger):,} acts, {load.kills:,} kills")
    except Exception:
        load.stopped.set()
        raise


def _started(processes: ContainerProcesses) -> list[ContainerProcess]:
    """Start a container. On a machine that is too busy, it may take longer than tests wait for it."""
    for _ in range(2):
        with suppress(AssertionError):
            return processes.start()
    return processes.start()


def _await_rest(admin_url: str) -> None:
    """Wait until no transaction of a killed process is left."""
    others = (
        "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        " AND datname = current_database()"
    )
    ends = time.monotonic() + 30
    while any(execute(admin_url, others)):
        assert time.monotonic() < ends
        time.sleep(0.1)


def _judged(load: Load, acts: list[Noted], tables: dict[str, list[Any]]) -> Acts:
    happened = keys_of(acts)
    outcomes = Counter(entry.outcome for entry in load.ledger)

    def with_outcome(outcome: str | None, *, done: bool) -> list[Entry]:
        return [one for one in load.ledger if one.outcome == outcome and (one.key in happened) is done]

    lost = with_outcome("acknowledged", done=False)
    found = [
        *load.found,
        *(f"acknowledged, and not in the database: {' '.join(entry.key)}" for entry in lost),
        *compare(acts),
        *compare_tables(tables),
    ]
    return Acts(
        acts=len(load.ledger),
        kills=load.kills,
        acknowledged=outcomes["acknowledged"],
        unanswered=outcomes[None],
        committed=len(with_outcome(None, done=True)),
        found=found,
        noted=acts,
        tables=tables,
    )
