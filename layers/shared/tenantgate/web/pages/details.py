"""The `detail` of an error for its page: sentences as text, and the rest as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tenantgate.errors.base import TenantgateError
from tenantgate.web.responses import debug_detail

_MOST_ROWS = 40
_LONGEST = 1000


class Details(NamedTuple):
    """The parts of a detail: a text, the provider's description, a remedy, and rows of name and value."""

    text: str | None
    description: str | None
    remedy: str | None
    rows: list[tuple[str, str]]


def details(error: TenantgateError, *, debug: bool) -> Details:
    """Take the error's detail apart. Every text is printable and bounded.

    A caller or a provider may have chosen a text: a control character or a bidirectional override could make the page
    show something else.
    """
    detail = error.detail
    text = description = remedy = None
    rows: dict[str, str] = {}
    if isinstance(detail, str):
        text = _shown(detail)
    elif isinstance(detail, Mapping):
        description, remedy = (_shown(detail[name]) if name in detail else None for name in ("description", "remedy"))
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
            yield _shown(value["field"]) or "request", _shown(value["problem"])
            return
        for member, item in value.items():
            yield from _rows(item, f"{name}.{_shown(member)}" if name else _shown(member))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _rows(item, name)
    else:
        yield name, _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    printable = "".join(character if character.isprintable() else " " for character in text[:_LONGEST])
    return printable + "…" if len(text) > _LONGEST else printable
