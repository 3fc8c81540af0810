"""Write `functions/unknown_route/route_table.py`: every path of template.yaml with its methods, for 404 and 405."""

from __future__ import annotations

from pathlib import Path

from lambda_gateway.model import ANY_METHOD
from lambda_gateway.template.reader import read_template

# Parameters without a default. The routes don't depend on them.
_PARAMETERS = {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": "https://app.example.com"}

_HEAD = '''\
"""The paths of template.yaml with their methods. Written by `make docs`."""

ROUTES: dict[str, tuple[str, ...]] = {
'''


def route_table_module() -> str:
    """Return the module's source.

    Routes for any method are left out: a request that they match never reaches `$default`.
    """
    methods: dict[str, list[str]] = {}
    for route in read_template(Path("template.yaml"), _PARAMETERS).api.routes:
        if route.path is not None and route.method != ANY_METHOD:
            methods.setdefault(route.path, []).append(route.method)
    return (
        _HEAD + "".join(f"    {_quoted(path)}: {_tuple(sorted(methods[path]))},\n" for path in sorted(methods)) + "}\n"
    )


def _tuple(items: list[str]) -> str:
    return f"({', '.join(map(_quoted, items))}{',' if len(items) == 1 else ''})"


def _quoted(text: str) -> str:
    return f'"{text}"'
