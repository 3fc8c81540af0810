"""The `detail` of an error for its page: sentences as text, and the rest as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tenantgate.errors.base import TenantgateError
from tenantgate.web.pages.printable import printable
from tenantgate.web.responses import debug_detail

_MOST_ROWS = 40


class Details(NamedTuple):
    """The parts of a detail: a text, the provider's description, a remedy, and rows of name and value."""

    text: str | None
    description: str | None
    remedy: str | None
    rows: list[tuple[str, str]]


def details(error: TenantgateError, *, debug: bool) -> Details:
    """Take the error's detail apart. Every text is printable and bounded."""
    detail = error.detail
    text = description = remedy = None
    rows: dict[str, str] = {}
    if isinstance(detail, str):
        text = printable(detail)
    elif isinstance(detail, Mapping):
        description, remedy = (
            printable(detail[name]) if name in detail else None for name in ("description", "remedy")
        )
        rows.update(_rows({name: value for name, value in detail.items() if name not in ("description", "remedy")}))
    elif detail is not None:
        rows.update(_rows(detail))
    if debug:
        for name, value in _rows(debug_detail(error)):
            # A text that the page shows already is not repeated.
            if value not in (text, description):
                rows.setdefault(name, value)
    return Details(text, description, remedy, list(rows.items())[:_MOST_ROWS])


def _rows(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if value.keys() == {"field", "problem"}:
            yield printable(value["field"]) or "request", printable(value["problem"])
            return
        for member, item in value.items():
            yield from _rows(item, f"{name}.{printable(member)}" if name else printable(member))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _rows(item, name)
    else:
        yield name, printable(value)
