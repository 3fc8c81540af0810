"""The provider's application under uvicorn in processes of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]
APPLICATION = "tests.support.provider_app:application"


@contextmanager
def provider_processes(variables: Mapping[str, str], sock: socket.socket, *, workers: int = 1) -> Iterator[None]:
    """Serve on `sock`, whose address `variables` names, in `workers` processes; returns when they answer."""
    sock.listen(128)
    command = [sys.executable, "-m", "uvicorn", "--factory", APPLICATION, "--fd", str(sock.fileno())]
    process = subprocess.Popen(
        [*command, "--workers", str(workers), "--lifespan", "off", "--log-level", "warning"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}/layers/shared:{ROOT}", **variables},
        pass_fds=[sock.fileno()],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        # The socket listens already: the request waits in its queue until a process takes it.
        httpx2.get(f"{variables['PUBLIC_BASE_URL']}/idp/nothing", timeout=60)
        yield
    finally:
        process.terminate()
        process.wait(20)
