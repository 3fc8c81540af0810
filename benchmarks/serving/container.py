"""The container, with the settings of a local stack, for load from the same machine."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.provider import Provider
from benchmarks.stand_ins import AUDIENCE, BASE_URL, CLIENT_ID
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.postgres import PostgresAddresses

_START_SECONDS = 60.0


def container_variables(
    addresses: PostgresAddresses, redis_url: str, provider: Provider, key: str, folder: Path
) -> dict[str, str]:
    """Return the environment of a container that signs in at `provider`. `key` seals its cookies."""
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(provider.jwks))
    return {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": "INFO",
        "PUBLIC_BASE_URL": BASE_URL,
        "ALLOWED_ORIGINS": BASE_URL,
        "DATABASE_URL": addresses.app_url,
        "DATABASE_OWNER_URL": addresses.owner_url,
        "REDIS_URL": redis_url,
        "OIDC_ISSUER_URL": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS_FILE": str(keys),
        "OIDC_CLIENT_SECRET": uuid.uuid4().hex,
        "COOKIE_SEALING_KEYS": key,
        "KEY_ENCRYPTION_KEYS": key,
    }


@contextmanager
def running_container(variables: Mapping[str, str], log: Path) -> Iterator[tuple[int, int]]:
    """Start `python -m container.start`, and yield its port and process id. It may not listen yet."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    path = f"{ROOT}:{ROOT / 'layers' / 'shared'}:{ROOT / 'cli'}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PORT": str(port), "DRAIN_SECONDS": "0", **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "container.start"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


async def until_it_listens(act: Callable[[], Awaitable[object]], log: Path) -> None:
    """Repeat `act` while it raises OSError. Raises SystemExit with the end of the log after a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            await act()
        except OSError:
            if time.monotonic() > deadline:
                written = await asyncio.to_thread(log.read_text)
                raise SystemExit(f"the container did not start:\n{written[-2000:]}") from None
            await asyncio.sleep(0.1)
        else:
            return
