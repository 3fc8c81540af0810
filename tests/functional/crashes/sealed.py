"""A sealer that is killed at any moment, and the verification of the logs that it has sealed."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.tasks import log_verifier, read_anchors
from tenantgate_cli.paths import ROOT
from tests.fixtures.transparency.sealing import sealer, signing_keys


def seal_and_kill(database_url: str, folder: Path, stopped: threading.Event, *, calm: float) -> int:
    """Seal all the time until `stopped`, and kill the sealer again and again; return how often."""
    kills = 0
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}"}
    argv = [sys.executable, "-m", "tests.fixtures.transparency.sealing", database_url, str(folder)]
    while not stopped.is_set():
        process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            stopped.wait(1 + random.uniform(0.1, calm))
        finally:
            process.kill()
            process.wait()
        kills += 1
    return kills


def verified(database_url: str, folder: Path, tenants: Iterable[str]) -> list[str]:
    """Seal the rest, and return a line for each fault of a log, with its anchors."""

    async def run() -> list[str]:
        anchors, database = FolderAnchors(folder), PooledDatabase(database_url)
        try:
            await sealer(database, anchors).run()
            keys = LogKeys(await signing_keys().public_keys())
            verifier = await log_verifier(LogPages(database), keys, await read_anchors(anchors, keys))
            results = [await verifier.verify(tenant_id) for tenant_id in tenants]
        finally:
            await database.dispose()
        return [f"{result.tenant_id}: {finding.text}" for result in results for finding in result.findings]

    return asyncio.run(run())
