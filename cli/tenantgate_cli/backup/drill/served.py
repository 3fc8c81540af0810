"""`tenantgate serve` in another process: the container's application, with a PostgreSQL that the drill may copy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import httpx2
import psutil

from tenantgate.secrets.store import SecretStore
from tenantgate.settings.model import Settings
from tenantgate_cli.console import Failure, printable
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.servers.postgres_folder import ADMIN, PostgresFolder

_READY_SECONDS = 180.0
_REPLICATION = "host replication all 127.0.0.1/32 scram-sha-256\n"
# Of the developer's machine: they would select another database or provider.
_FOREIGN = ("OIDC_", "JWT_", "JWKS_", "TENANT_", "TRUSTED_", "ALLOWED_", "DATABASE_", "PUBLIC_", "AWS_", "REDIS_")


@dataclass(frozen=True, slots=True)
class Served:
    """The running application. `admin_url`: of the server's first superuser."""

    url: str
    folder: DataFolder
    owner_url: str
    app_url: str
    admin_url: str

    @property
    def settings(self) -> Settings:
        """The settings that it runs with."""
        return Settings.from_mapping(self.folder.running_settings() or {})

    @property
    def secrets(self) -> SecretStore:
        """The secrets of its data folder."""
        return SecretStore(
            secret_id=None, environment=dict(self.folder.secrets()), client=_no_client, fall_back_to_environment=True
        )

    def kill_database(self) -> None:
        """End every process of PostgreSQL at once, as when its machine fails."""
        lines = (self.folder.postgres / "cluster" / "postmaster.pid").read_text().splitlines()
        postmaster = psutil.Process(int(lines[0]))
        # Stopped, it can't start further ones.
        postmaster.suspend()
        for process in [*postmaster.children(recursive=True), postmaster]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@contextmanager
def served(path: Path) -> Iterator[Served]:
    """Serve with the data folder `path` while the block runs. Raises Failure."""
    folder = DataFolder(path)
    path.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    command = [sys.executable, "-m", "tenantgate_cli", "serve", "--port", "0", "--data-dir", str(path)]
    with (path / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield _ready(folder, process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def prepare(path: Path) -> None:
    """Create the server of a data folder. It lets logins replicate, and keeps some of its log."""
    PostgresFolder(path / "postgres").prepare()
    for name, line in (("pg_hba.conf", _REPLICATION), ("postgresql.conf", "wal_keep_size = '256MB'\n")):
        with (path / "postgres" / "cluster" / name).open("a") as file:
            file.write(line)


def _ready(folder: DataFolder, process: subprocess.Popen[bytes]) -> Served:
    deadline = time.monotonic() + _READY_SECONDS
    while not (settings := folder.running_settings()) or not _is_ready(settings["PUBLIC_BASE_URL"]):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = (folder.path / "serve.log").read_text(errors="replace").splitlines() or [""]
            raise Failure(f"the application doesn't start: {printable(lines[-1])}", f"see {folder.path}/serve.log")
        time.sleep(0.1)
    owner_url = folder.running()["owner_url"]
    parts = urlsplit(owner_url)
    password = PostgresFolder(folder.postgres).passwords()[ADMIN]
    admin = urlunsplit(parts._replace(netloc=f"{ADMIN}:{password}@{parts.hostname}:{parts.port}"))
    return Served(settings["PUBLIC_BASE_URL"], folder, owner_url, settings["DATABASE_URL"], admin)


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/api/v1/health/ready", timeout=10, trust_env=False).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def _no_client() -> NoReturn:
    raise RuntimeError("the secrets of a data folder are in its file")
