"""The trail that `tenantgate audit tail` and `export` read: its database, keys and times."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from tenantgate.audit.trail.models import OpenedEvent, written
from tenantgate.audit.trail.pages import EventPages
from tenantgate.audit.trail.service import TrailExport
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.data_keys.wiring import key_encryption
from tenantgate.database.pool import PooledDatabase
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate_cli.commands.data_keys import secrets_of
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.deployment import deployment, explained

COLUMNS = tuple(one.name for one in fields(OpenedEvent))
_TIMES = "as 2026-11-27, or 2026-11-27T03:22:08Z"


class Trail:
    """The events of a deployment, with the keys that open them."""

    def __init__(self, pages: EventPages, keys: DataKeys) -> None:
        self.pages = pages
        self.keys = keys
        self.export = TrailExport(pages, keys)


def read[T](work: Callable[[Trail], Awaitable[T]], data_dir: Path, url: str | None, owner_url: str | None = None) -> T:
    """Run `work` on the database. `owner_url`: read as the owner of the tables, instead of as the application.

    Raises Failure.
    """
    place = deployment(data_dir, url)
    address = owner_url or place.database_url

    async def run() -> T:
        database = PooledDatabase(address)
        try:
            keys = DataKeys(
                DataKeyRepository(database), key_encryption(place.settings, secrets_of(place, data_dir, url))
            )
            return await work(Trail(EventPages(database), keys))
        finally:
            await database.dispose()

    with explained(address), _keys_explained():
        return asyncio.run(run())


def owner_of(data_dir: Path, url: str | None, owner_url: str | None) -> str:
    """Return the URL of the owner's login, of the option or of the running stack. Raises Failure."""
    if owner_url:
        return owner_url
    settings = None if url else DataFolder(data_dir).running_settings()
    found = (settings or {}).get("DATABASE_OWNER_URL")
    if not found:
        raise Failure("--unmasked needs the login of the tables' owner", "give --owner-url, or set DATABASE_OWNER_URL")
    return found


def time_of(option: str, text: str | None) -> datetime | None:
    """Return the time that an option has; UTC without an offset. Raises Failure."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Failure(f"{option} is not a time", f"write it {_TIMES}") from None
    return moment


def members(event: OpenedEvent) -> Mapping[str, object]:
    """Return the event's members in their order, as JSON has them."""
    values = {name: getattr(event, name) for name in COLUMNS}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return written(value)
    return value if value is None or isinstance(value, str | Mapping) else str(value)


@contextmanager
def _keys_explained() -> Iterator[None]:
    try:
        yield
    except KeyServiceUnavailable as error:
        raise Failure(
            f"personal data can't be decrypted now: {error.reason}",
            "check KEY_ENCRYPTION_KEYS or KEY_ENCRYPTION_KMS_KEYS, and run the command again",
        ) from error
    except SecretsUnavailable as error:
        raise Failure(
            "personal data can't be decrypted: the key-encryption keys aren't known here",
            "set KEY_ENCRYPTION_KEYS, or AWS_SECRETS_MANAGER_SECRET_ID",
        ) from error
