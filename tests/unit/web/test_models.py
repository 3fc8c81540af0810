import pytest
from pydantic import ValidationError

from tenantgate.web.models import PageParameters, StrictModel


class Thing(StrictModel):
    name: str
    count: int = 0


class Query(PageParameters):
    name: str | None = None


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a", "other": 1},
        {"name": 1},
        {"name": None},
        {"name": "a", "count": "1"},
        {"name": "a", "count": True},
        {"name": "a", "count": 1.0},
    ],
)
def test_a_strict_model_refuses_unknown_members_and_other_types(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Thing.model_validate(values)


def test_a_strict_model_is_frozen() -> None:
    thing = Thing(name="a")

    with pytest.raises(ValidationError):
        thing.name = "b"  # type: ignore[misc]


def test_page_parameters_ignore_what_others_add_to_a_link() -> None:
    assert Query.model_validate({"name": "a", "fbclid": "x"}) == Query(name="a")
