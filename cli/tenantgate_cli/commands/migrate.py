"""`tenantgate migrate`: migrate the database of a URL, of a running stack, or of a data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tenantgate.errors.base import TenantgateError
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder


def move(direction: Literal["up", "down"], revision: str, data_dir: Path, url: str | None) -> str:
    """Migrate, and return the revisions before and after. Raises Failure."""
    from tenantgate.database.migrator import downgrade, upgrade  # noqa: PLC0415

    with _owner_url(data_dir, url) as owner_url, _explained():
        moved = (upgrade if direction == "up" else downgrade)(owner_url, revision)
    return f"{moved.before or 'nothing'} → {moved.after or 'nothing'}"


def show(data_dir: Path, url: str | None) -> str:
    """Return the database's revision and the newest one. Raises Failure."""
    from tenantgate.database.migrator import current, head  # noqa: PLC0415

    with _owner_url(data_dir, url) as owner_url, _explained():
        at = current(owner_url)
    newest = head()
    return f"{at or 'nothing'} (newest)" if at == newest else f"{at or 'nothing'} (newest: {newest})"


@contextmanager
def _owner_url(data_dir: Path, url: str | None) -> Iterator[str]:
    if url:
        yield url
        return
    folder = DataFolder(data_dir)
    if "owner_url" in (state := folder.running()):
        yield state["owner_url"]
        return
    if not folder.postgres.exists():
        raise Failure(f"there is no database in {folder.shown()}", "make dev   (creates one), or give --database-url")
    from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres, PostgresBroken  # noqa: PLC0415

    with folder.held():
        try:
            with EmbeddedPostgres(folder.postgres) as server:
                yield server.start().owner_url
        except PostgresBroken as error:
            raise Failure(str(error)) from error


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except TenantgateError as error:
        raise Failure(f"{error.error.code} {error}: {error.detail or error.error.remedy}") from error
