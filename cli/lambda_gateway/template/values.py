"""Readers of a template's values. Each raises TemplateError, which names the place."""

from __future__ import annotations

from collections.abc import Mapping

from lambda_gateway.model import ANY_METHOD, TemplateError

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", ANY_METHOD})


def mapping(value: object, where: str) -> dict[str, object]:
    """Return a map. An absent one is empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{where}: must be a map")
    return value


def strings(value: object) -> tuple[str, ...]:
    """Return a list. A single value is a list of one."""
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def number(value: object, where: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise TemplateError(f"{where}: {value!r} is not a number") from None


def boolean(value: object, *, default: bool) -> bool:
    return default if value is None else str(value).lower() == "true"


def method_of(value: object, where: str) -> str:
    """Return an HTTP method in upper case, or ANY."""
    method = str(value).upper().replace("X-AMAZON-APIGATEWAY-ANY-METHOD", ANY_METHOD)
    if method not in METHODS:
        raise TemplateError(f"{where}.Method: {method}: isn't an HTTP method")
    return method


def merged(base: dict[str, object], own: dict[str, object]) -> dict[str, object]:
    """Apply SAM's Globals: merge maps, concatenate lists, override everything else."""
    result = dict(base)
    for key, value in own.items():
        inherited = result.get(key)
        if isinstance(inherited, dict) and isinstance(value, dict) and not is_intrinsic(inherited):
            result[key] = value if is_intrinsic(value) else merged(inherited, value)
        elif isinstance(inherited, list) and isinstance(value, list):
            result[key] = [*inherited, *value]
        else:
            result[key] = value
    return result


def is_intrinsic(value: Mapping[str, object]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))
