"""Immutable records that cost an import next to nothing.

A named tuple is compiled when its module is imported: a dozen of them take a tenth of the authorizer's cold start, and
`dataclasses` would take a fifth.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record(tuple[object, ...]):
    """A tuple whose items are named by the subclass's annotations, in their order; a value in the body is a default."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[Mapping[str, object]] = {}

    def __init_subclass__(cls) -> None:
        # `inspect` would be the costliest import of all. Without annotations of its own, a class keeps its base's.
        cls._fields = tuple(cls.__dict__.get("__annotations__", cls._fields))  # noqa: RUF063
        cls._defaults = {name: cls.__dict__[name] for name in cls._fields if name in cls.__dict__}
        for place, name in enumerate(cls._fields):
            setattr(cls, name, property(itemgetter(place)))

    def __new__(cls, *values: object, **named: object) -> Self:
        if len(values) < len(cls._fields):
            names = cls._fields[len(values) :]
            given = {**cls._defaults, **named}
            named = {name: value for name, value in named.items() if name not in names}
            try:
                values += tuple(given[name] for name in names)
            except KeyError as missing:
                raise TypeError(f"{cls.__name__} needs {missing}") from None
        if named or len(values) != len(cls._fields):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}, each once")
        return tuple.__new__(cls, values)

    def __replace__(self, **changes: object) -> Self:
        """For `copy.replace`."""
        return type(self)(**{**dict(zip(self._fields, self, strict=True)), **changes})

    def __getnewargs__(self) -> tuple[object, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"
