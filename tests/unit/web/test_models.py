from typing import Any, cast, get_args

import pytest
from fastapi.routing import APIRoute
from pydantic import ValidationError

from container.app import function_routers
from tenantgate.web.models import PageParameters, RelayedParameters, StrictModel


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


def test_only_the_callbacks_body_is_lenient() -> None:
    bodies = {
        (method, route.path, _model(field.field_info.annotation))
        for router in function_routers()
        for route in router.routes
        if isinstance(route, APIRoute)
        for field in route.dependant.body_params
        for method in route.methods or ()
    }
    assert len(bodies) >= 2
    lenient = {(method, path) for method, path, model in bodies if not issubclass(model, StrictModel)}
    assert lenient == {("POST", "/api/v1/auth/callback")}


def test_relayed_parameters_ignore_what_a_provider_adds_and_stay_strict() -> None:
    class Redirect(RelayedParameters):
        state: str

    assert Redirect.model_validate({"state": "a", "session_state": 1}) == Redirect(state="a")
    with pytest.raises(ValidationError):
        Redirect.model_validate({"state": 1})


def _model(annotation: Any) -> type:
    """Return the model of a body that may be optional."""
    (model,) = [item for item in (get_args(annotation) or (annotation,)) if item is not type(None)]
    return cast("type", model)
