"""Immutable records that add almost nothing to an import.

A named tuple is compiled when its module is imported. A dozen of them take a tenth of the authorizer's cold start;
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
    """A tuple whose items are named by the subclass's annotations, in order. A value in the class body is a default.

    A subclass must set `__slots__ = ()`. Raises `TypeError` for one that doesn't: its records would have a `__dict__`,
    so that anyone could add to a principal what no verification put there.
    """

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[Mapping[str, object]] = {}

    def __init_subclass__(cls) -> None:
        if "__slots__" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} needs __slots__ = ()")
        # Not by `inspect`, the slowest import of all.
        annotations = cls.__dict__.get("__annotations__")  # noqa: RUF063
        if annotations is None:
            # The fields and defaults are the base's.
            return
        cls._fields = tuple(annotations)
        cls._defaults = {name: cls.__dict__[name] for name in cls._fields if name in cls.__dict__}
        for place, name in enumerate(cls._fields):
            setattr(cls, name, property(itemgetter(place)))

    def __new__(cls, *values: object, **named: object) -> Self:
        if named or len(values) != len(cls._fields):
            values = cls._completed(values, named)
        return tuple.__new__(cls, values)

    @classmethod
    def _completed(cls, values: tuple[object, ...], named: Mapping[str, object]) -> tuple[object, ...]:
        """The values of all fields, with those given by name and the defaults."""
        missing = cls._fields[len(values) :]
        if len(values) > len(cls._fields) or not named.keys() <= set(missing):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}, each once")
        given = {**cls._defaults, **named}
        try:
            return values + tuple(given[name] for name in missing)
        except KeyError as name:
            raise TypeError(f"{cls.__name__} needs {name}") from None

    def __replace__(self, **changes: object) -> Self:
        """Support `copy.replace`."""
        return type(self)(**{**dict(zip(self._fields, self, strict=True)), **changes})

    def __getnewargs__(self) -> tuple[object, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"


def record_of[Kind: Record](kind: type[Kind], values: tuple[object, ...]) -> Kind:
    """Make a record of all its values, in half the time of its constructor, which Python calls through C.

    Only for a typed function that makes one kind of record. Raises `TypeError` for another number of values.
    """
    if len(values) != len(kind._fields):
        raise TypeError(f"{kind.__name__} takes {', '.join(kind._fields)}, each once")
    return tuple.__new__(kind, values)
