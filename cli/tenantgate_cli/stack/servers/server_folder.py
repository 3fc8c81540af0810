"""The folder of a server on this machine, with its log."""

from __future__ import annotations

import os
from pathlib import Path

from tenantgate_cli.stack.servers.launch import ServerBroken, User
from tenantgate_cli.stack.servers.unprivileged import unprivileged_user

_LOG_LIMIT = 10 * 1024 * 1024


class ServerFolder:
    """The folder at `path`. Call `prepare` first. Every method may raise ServerBroken.

    `title` is the server's name in messages, `log_name` the name of its log.
    """

    title = ""
    log_name = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / self.log_name

    def prepare(self) -> None:
        """Create the folder if it is missing, and begin a new log if the old one is long."""
        try:
            # If root runs this, the server's user may enter the folder, to reach its own data, but not list it.
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        except OSError as error:
            raise ServerBroken(
                f"the data folder {self.path} can't be created: {error.strerror}. Choose another with --data-dir."
            ) from error
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))

    def user(self) -> User | None:
        """Return the user and group that the server runs as, or None for the caller's own."""
        user = unprivileged_user(self.data())
        if user is None and os.geteuid() == 0:
            raise ServerBroken(f"{self.title} doesn't run as root, and there is no user `nobody` to run it as")
        return user

    def data(self) -> Path:
        """Return the folder whose owner the server runs as."""
        return self.path

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def logged_since(self, offset: int) -> str:
        """Return the log from `offset` on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")

    def broken(self, why: str) -> ServerBroken:
        return ServerBroken(
            f"the data folder {self.path} can't be used: {why}. Start over with `make dev RESET=1` (which deletes "
            f"the data), or replace the folder by an intact copy. {self.title}'s log: {self.log}"
        )
