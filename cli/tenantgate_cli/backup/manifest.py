"""The manifest of a backup: what it contains, and how to verify it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal, Self

from tenantgate_cli.backup.sealed_files import Sealed

FORM = 1
type Kind = Literal["dump", "base"]


@dataclass(frozen=True, slots=True)
class DumpedTable:
    """A table's rows. `name` and `columns` are quoted as SQL needs them.

    `rows`: their number. `sha256`: of their text (`COPY`), in the order of `key`. `secured`: under row-level security,
    for the owner too.
    """

    name: str
    file: str
    columns: tuple[str, ...]
    key: str
    secured: tuple[bool, bool]
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Server:
    """The server of a base. `system_id`: that of its cluster. `admin`: its first superuser.

    `first_segment`: of the WAL from which it is restored. `segment_bytes`: the size of a segment.
    """

    system_id: str
    admin: str
    first_segment: str
    segment_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A complete backup. `moment`: the database's time of the state that it restores; for a base, of its end.

    `revision`: of the schema. `tenantgate`: the version that made it. `files`: by name. `sequences`: their last values,
    and whether they were used. `server`: of a base.
    """

    name: str
    kind: Kind
    moment: datetime
    revision: str
    tenantgate: str
    postgres: str
    files: Mapping[str, Sealed]
    tables: tuple[DumpedTable, ...] = ()
    sequences: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    server: Server | None = None

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files.values())

    def to_json(self) -> bytes:
        values = {"form": FORM, **asdict(self), "moment": self.moment.isoformat()}
        return json.dumps(values).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Read what `to_json` wrote. Raises `ValueError` for another form."""
        try:
            values = json.loads(raw)
            if values.pop("form") != FORM:
                raise ValueError("a newer version made the backup")
            server = values["server"]
            return cls(
                **{
                    **values,
                    "moment": datetime.fromisoformat(values["moment"]),
                    "files": {name: Sealed(**file) for name, file in values["files"].items()},
                    "tables": tuple(
                        DumpedTable(**{**table, "columns": tuple(table["columns"]), "secured": tuple(table["secured"])})
                        for table in values["tables"]
                    ),
                    "sequences": {name: tuple(value) for name, value in values["sequences"].items()},
                    "server": None if server is None else Server(**server),
                }
            )
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"its manifest has another form: {problem}") from None
