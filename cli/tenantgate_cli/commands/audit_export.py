"""`tenantgate audit export`: the events of a log, as JSON lines or CSV, in batches."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

from tenantgate.audit.trail.models import Filters, OpenedEvent
from tenantgate_cli.commands.audit_trail import COLUMNS, Trail, members, owner_of, read, time_of
from tenantgate_cli.console import Failure, err
from tenantgate_cli.stack.signals import stopped_by_signals

type Format = Literal["jsonl", "csv"]

# A spreadsheet runs a cell that begins with one of these. The apostrophe itself is among them, so that the first one of
# a cell is always ours.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CHUNK = 500


class Place:
    """The database and the keys. `url`: of the application, None for the running stack. `owner_url`: of the owner."""

    def __init__(self, data_dir: Path, url: str | None, owner_url: str | None) -> None:
        self.data_dir = data_dir
        self.url = url
        self.owner_url = owner_url


def run(
    tenant: str, since: str | None, until: str | None, output: Path | None, place: Place, *, form: Format, masked: bool
) -> None:
    """Write the events. Raises Failure, before the first line if the reading can't be recorded."""
    first, last = time_of("--from", since), time_of("--to", until)
    owner_url = None if masked else owner_of(place.data_dir, place.url, place.owner_url)

    async def work(trail: Trail) -> int:
        if not masked and not await trail.pages.is_owner():
            raise Failure("--unmasked needs the login of the tables' owner", "give another --owner-url")
        filters = Filters(recorded_from=first, recorded_to=last)
        now = await trail.export.begin(tenant, "export", filters, masked=masked)
        with _opened(output) as file:
            return await _write(trail, file, tenant, first, min(last or now, now), form=form, masked=masked)

    try:
        with stopped_by_signals():
            count = read(work, place.data_dir, place.url, owner_url)
    except BrokenPipeError:
        # The reader has seen enough. Python would report the same again when it closes standard output.
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123  (a device)
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise Failure("the output was closed before the end") from None
    except OSError as error:
        raise Failure(f"the output can't be written: {error.strerror}") from error
    err.print(f"{count:,} events exported", soft_wrap=True)


async def _write(
    trail: Trail, file: BinaryIO, tenant: str, first: datetime | None, last: datetime, *, form: Format, masked: bool
) -> int:
    line = _csv_line if form == "csv" else _json_line
    if form == "csv":
        file.write(_row(COLUMNS))
    count = 0
    async for event in trail.export.between(tenant, first, last):
        file.write(line(event.masked() if masked else event))
        count += 1
        if count % _CHUNK == 0:
            file.flush()
    file.flush()
    return count


def _opened(output: Path | None) -> AbstractContextManager[BinaryIO]:
    if output is None:
        return nullcontext(sys.stdout.buffer)
    try:
        # Not over an existing file, and readable only for its owner: it has personal data.
        return os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise Failure(f"{output} exists already", "choose another file for --output") from None


def _json_line(event: OpenedEvent) -> bytes:
    return json.dumps(members(event), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _csv_line(event: OpenedEvent) -> bytes:
    return _row([_cell(value) for value in members(event).values()])


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: Sequence[str]) -> bytes:
    """Return a line of RFC 4180."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()
