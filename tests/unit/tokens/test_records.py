"""Records: immutable, complete, and without a `__dict__`."""

from __future__ import annotations

import copy
import pickle
import re
from inspect import signature
from pathlib import Path

import pytest

from tenantgate.identity.principal import Principal
from tenantgate.tokens.claims import verified_token
from tenantgate.tokens.records import Record, record_of
from tenantgate.tokens.verifier import VerifiedToken

PACKAGE = Path(__file__).parents[3] / "layers" / "shared" / "tenantgate"


class Point(Record):
    __slots__ = ()

    x: int
    y: int = 2
    name: str = "p"


class Named(Point):
    """A subclass without annotations keeps the fields of its base."""

    __slots__ = ()


@pytest.mark.parametrize("kind", [Point, Named])
def test_values_are_given_by_place_by_name_or_by_default(kind: type[Point]) -> None:
    assert kind(1, 2, "p") == kind(1) == kind(x=1) == kind(1, name="p") == (1, 2, "p")
    point = kind(7, name="q")
    assert (point.x, point.y, point.name) == (7, 2, "q")
    assert repr(point) == f"{kind.__name__}(x=7, y=2, name='q')"


@pytest.mark.parametrize(
    ("values", "named", "problem"),
    [
        pytest.param((), {}, "needs 'x'", id="a-value-is-missing"),
        pytest.param((1, 2, "p", 4), {}, "takes x, y, name", id="one-too-many"),
        pytest.param((1, 2, "p"), {"z": 4}, "takes x, y, name", id="an-unknown-name"),
        pytest.param((1,), {"z": 4}, "takes x, y, name", id="an-unknown-name-among-defaults"),
        pytest.param((1,), {"x": 4}, "takes x, y, name", id="given-twice"),
        pytest.param((1, 2, "p"), {"x": 4}, "takes x, y, name", id="all-given-and-one-twice"),
    ],
)
def test_a_record_takes_each_field_once(values: tuple[object, ...], named: dict[str, object], problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        Point(*values, **named)  # type: ignore[arg-type]  # what the type checker would refuse


def test_a_record_cannot_be_changed() -> None:
    point = Point(1)
    for name in ("x", "z"):
        with pytest.raises(AttributeError):
            setattr(point, name, 3)
    assert not hasattr(point, "__dict__")


def test_a_changed_copy_has_the_other_values() -> None:
    changed = copy.replace(Point(1, 5), x=3)
    assert (type(changed), changed) == (Point, (3, 5, "p"))
    with pytest.raises(TypeError):
        copy.replace(Point(1), z=3)  # type: ignore[call-arg]  # what the type checker would refuse


def test_a_record_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(Point(1, 3)))
    assert (type(again), again) == (Point, (1, 3, "p"))


def test_a_subclass_must_set_slots() -> None:
    with pytest.raises(TypeError, match="Loose needs __slots__"):
        type("Loose", (Record,), {"__annotations__": {"x": int}})
    with pytest.raises(TypeError, match="Loose needs __slots__"):
        type("Loose", (Point,), {})


def test_a_subclass_cannot_add_slots() -> None:
    for slots in (("extra",), ("__dict__",)):
        with pytest.raises(TypeError):
            type("Wide", (Record,), {"__slots__": slots})


@pytest.mark.parametrize("made", [Principal, VerifiedToken])
def test_an_identity_is_never_made_with_a_field_missing(made: type[Record]) -> None:
    for count in range(5):
        with pytest.raises(TypeError, match="needs"):
            made(*range(count))


def test_only_the_constructor_makes_records() -> None:
    found = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"tuple\.__new__", path.read_text("utf-8"))]
    assert found == ["records.py"]


def test_a_record_of_values_needs_each_once() -> None:
    assert record_of(Point, (1, 3, "q")) == Point(1, 3, "q")
    for values in ((), (1, 3), (1, 3, "q", 4)):
        with pytest.raises(TypeError, match="each once"):
            record_of(Point, values)


def test_the_maker_of_verified_tokens_takes_every_field() -> None:
    assert tuple(signature(verified_token).parameters) == VerifiedToken._fields
    made = verified_token("issuer", "subject", 1, 2, frozenset({"a"}), {"iss": "issuer"}, "id", "kid")
    assert made == ("issuer", "subject", 1, 2, frozenset({"a"}), {"iss": "issuer"}, "id", "kid")
    assert type(made) is VerifiedToken


def test_only_verified_tokens_are_made_without_their_constructor() -> None:
    users = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"record_of\(", path.read_text("utf-8"))]
    assert users == ["claims.py"]
