"""The data folder (`.local/`) of the stack on a developer's machine.

dev.json        the process that uses the folder: its id, address and owner's database URL; mode 0600
dev.env         the URLs of the running database and cache, for a developer's own programs; mode 0600
secrets.json    client secret, sealing, key-encryption and signing keys, random and kept for the stored data; mode 0600
anchors/        the checkpoints of the audit log
postgres/       the database
valkey/         the cache, which keeps nothing from one start to the next
logs/           the output of each function in the last run
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.settings.deployment import SECRET_NAMES
from tenantgate_cli.console import Failure
from tenantgate_cli.paths import DEFAULT_DATA_DIR, shown

RESET_REMEDY = "make dev RESET=1   (starts over; deletes the data)"
_OWN_FILES = ("secrets.json", "postgres", "valkey", "logs", "anchors")
# Keys that folders of earlier versions lack: nothing was encrypted or signed with them.
_LATER_KEYS = ("KEY_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEYS")
_SERVER_VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")


class DataFolder:
    """The data folder. One process at a time can hold it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.postgres = path / "postgres"
        self.valkey = path / "valkey"
        self.logs = path / "logs"
        self.anchors = path / "anchors"
        self.servers = path / "dev.env"
        self._state = path / "dev.json"
        self._published: dict[str, object] = {}

    def shown(self) -> str:
        """Return the path relative to the working directory if it is below it."""
        return shown(self.path)

    def option(self) -> str:
        """Return the option that other commands need to find this folder; empty for the default folder."""
        return "" if self.shown() == str(DEFAULT_DATA_DIR) else f" --data-dir {self.shown()}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder while the block runs. Raises Failure if it is locked or can't be used.

        The kernel releases the lock when the process ends, also after a crash.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._state, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Failure(
                f"the data folder {self.shown()} can't be used: {error.strerror}",
                "choose another with --data-dir, or make this one a folder that you may write to",
            ) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Failure(
                    f"the data folder {self.shown()} is in use by {self._holder()}",
                    "stop that process, or choose another folder for this one: --data-dir .local-2",
                ) from error
            yield
        finally:
            os.close(handle)

    def publish(self, **state: object) -> None:
        """Write how other commands can reach this stack. Members that this process published before are kept."""
        self._published |= {"pid": os.getpid(), **state}
        self._state.write_text(json.dumps(self._published))

    def publish_settings(self, settings: Mapping[str, str]) -> None:
        """Write the stack's settings, so that other commands don't depend on the variables of their own shell."""
        self.publish(all_settings=json.dumps(dict(settings)))

    def publish_servers(self, settings: Mapping[str, str]) -> None:
        """Write the URLs of the database and the cache in the form that a shell and dotenv files read."""
        self.servers.unlink(missing_ok=True)
        handle = os.open(self.servers, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            for name in _SERVER_VARIABLES:
                # Shells and dotenv files differ in the quoting of this one character.
                url = settings[name].replace("'", "%27")
                stream.write(f"export {name}={quote(url)}\n")

    def withdraw(self) -> None:
        self.servers.unlink(missing_ok=True)
        self._published = {}
        self._state.write_text("")

    def running(self) -> dict[str, str]:
        """Return what a running stack has published; empty if none is running."""
        try:
            with self._state.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return {name: str(value) for name, value in json.loads(file.read() or "{}").items()}
        except (OSError, ValueError):
            pass
        return {}

    def running_settings(self) -> dict[str, str] | None:
        """Return the settings of the running stack, with the database's URL; None if none is running."""
        published = self.running().get("all_settings")
        return None if published is None else dict(json.loads(published))

    def _holder(self) -> str:
        state = self.running()
        if "pid" not in state:
            return "another tenantgate"
        return f"tenantgate (process {state['pid']}{', ' + state['url'] if 'url' in state else ''})"

    def reset(self) -> None:
        """Delete only what a stack created here: the caller may have chosen a folder with other files in it."""
        for name in _OWN_FILES:
            target = self.path / name
            try:
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                else:
                    target.unlink(missing_ok=True)
            except OSError as error:
                raise Failure(
                    f"{target} can't be deleted: {error.strerror}", f"delete it yourself: rm -rf {target}"
                ) from error

    def secrets(self) -> dict[str, str]:
        """Return the stack's secrets, which the first call creates. Raises Failure if the file is damaged.

        Several processes may call it at once: all of them get the same secrets.
        """
        file = self.path / "secrets.json"
        with self._exclusively():
            if not file.exists():
                made = {
                    "OIDC_CLIENT_SECRET": secrets.token_urlsafe(32),
                    "COOKIE_SEALING_KEYS": new_sealing_key(),
                    **{name: new_sealing_key() for name in _LATER_KEYS},
                }
                _write_secrets(file, made)
                return made
            try:
                stored = json.loads(file.read_text())
            except (OSError, ValueError):
                stored = None
            if isinstance(stored, dict) and (missing := [name for name in _LATER_KEYS if name not in stored]):
                stored |= {name: new_sealing_key() for name in missing}
                _write_secrets(file, stored)
        if not isinstance(stored, dict) or not all(isinstance(stored.get(name), str) for name in SECRET_NAMES):
            raise Failure(f"the data folder is damaged: {self.shown()}/secrets.json can't be read", RESET_REMEDY)
        return stored

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Wait until no other process is in such a block. Locks the folder itself: `held` locks a file in it."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _write_secrets(file: Path, values: Mapping[str, object]) -> None:
    # As a whole or not at all: without these keys, the stored sessions don't open.
    written = file.with_name("secrets.json.new")
    written.unlink(missing_ok=True)
    handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        json.dump(values, stream)
    written.replace(file)
