"""Start the parts that `dev` and `serve` share: data folder, port, PostgreSQL and its migrations, Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from rich.text import Text

from tenantgate_cli.console import Failure, say, step
from tenantgate_cli.stack.data_folder import RESET_REMEDY, DataFolder
from tenantgate_cli.stack.given_settings import check_settings, setting_notes
from tenantgate_cli.stack.ports import BoundPort, PortForbidden, PortTaken, bind, next_free
from tenantgate_cli.stack.signals import ignore_signals, stopped_by_signals
from tenantgate_cli.stack.variables import Variables, environment, variables_for

NEWER_REMEDY = f"check out that version again; or give this one its own data: --data-dir .local-2; or {RESET_REMEDY}"


@dataclass(frozen=True, slots=True)
class Stack:
    """A running database and cache, a bound port, and the variables of the functions."""

    folder: DataFolder
    bound: BoundPort
    url: str
    variables: Variables


@contextmanager
def local_stack(command: str, port: int, data_dir: Path, *, reset: bool) -> Iterator[Stack]:
    """Start everything except a server on the port, and stop it at the end of the block. Raises Failure."""
    given = environment()
    folder = DataFolder(data_dir)
    with ExitStack() as stack:
        stack.enter_context(stopped_by_signals())
        for note in setting_notes(port, given, folder):
            say(Text(f"note: {note}", style="yellow"))
        # Before anything starts, so that an invalid setting stops the command at once.
        check_settings(port, given)
        bound = stack.enter_context(_bound(command, port))
        stack.enter_context(folder.held())
        if reset:
            folder.reset()
        stored = folder.secrets()
        # Without it, a verification before the first sealing would find no place for anchors.
        folder.anchors.mkdir(exist_ok=True)
        app_url, owner_url = stack.enter_context(_database(folder))
        redis_url = given.get("REDIS_URL") or stack.enter_context(_cache(folder))
        variables = variables_for(
            bound.port,
            given,
            stored,
            app_url=app_url,
            owner_url=owner_url,
            redis_url=redis_url,
            anchors=str(folder.anchors.absolute()),
        )
        url = variables.settings["PUBLIC_BASE_URL"]
        folder.publish(url=url, owner_url=owner_url)
        stack.callback(folder.withdraw)
        folder.publish_settings(variables.settings)
        folder.publish_servers(variables.settings)
        yield Stack(folder, bound, url, variables)


@contextmanager
def _bound(command: str, port: int) -> Iterator[BoundPort]:
    try:
        bound = bind(port)
    except PortTaken as taken:
        free = next_free(port)
        raise Failure(
            str(taken),
            f"stop that program, or choose another port: make {command} PORT={free}",
        ) from taken
    except (PortForbidden, OverflowError) as error:
        raise Failure(f"port {port} can't be used: {error}", f"choose another: make {command} PORT=3000") from error
    with bound:
        yield bound


@contextmanager
def _database(folder: DataFolder) -> Iterator[tuple[str, str]]:
    """Run PostgreSQL with all migrations applied. Yield the URLs of the application's role and of the owner."""
    from tenantgate_cli.stack.servers.launch import ServerBroken  # noqa: PLC0415
    from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres  # noqa: PLC0415

    # SQLAlchemy takes half a second to import; meanwhile PostgreSQL starts.
    warm = Thread(target=_import_migrator, daemon=True)
    warm.start()
    server = EmbeddedPostgres(folder.postgres)
    try:
        try:
            with step("postgres"):
                addresses = server.start()
        except ServerBroken as error:
            raise Failure(str(error)) from error
        with step("migrations"):
            warm.join()
            _migrate(addresses.owner_url)
        yield addresses.app_url, addresses.owner_url
    finally:
        ignore_signals()
        server.stop()


@contextmanager
def _cache(folder: DataFolder) -> Iterator[str]:
    """Run Valkey. Yield its URL."""
    from tenantgate_cli.stack.servers.launch import ServerBroken  # noqa: PLC0415
    from tenantgate_cli.stack.servers.valkey import EmbeddedValkey  # noqa: PLC0415

    server = EmbeddedValkey(folder.valkey)
    try:
        try:
            with step("valkey"):
                url = server.start()
        except ServerBroken as error:
            raise Failure(str(error)) from error
        yield url
    finally:
        ignore_signals()
        server.stop()


def _import_migrator() -> None:
    import tenantgate.database.migrator  # noqa: F401, PLC0415


def _migrate(owner_url: str) -> None:
    from tenantgate.database.errors import MadeByNewer  # noqa: PLC0415
    from tenantgate.database.migrator import upgrade  # noqa: PLC0415
    from tenantgate.errors.base import TenantgateError  # noqa: PLC0415
    from tenantgate_cli.stack.database_failures import failure_of  # noqa: PLC0415

    try:
        upgrade(owner_url)
    except MadeByNewer as error:
        raise failure_of(error, url=owner_url, newer_remedy=NEWER_REMEDY) from error
    except TenantgateError as error:
        raise Failure(f"the migrations failed: {error} {error.detail or ''}".strip(), RESET_REMEDY) from error
