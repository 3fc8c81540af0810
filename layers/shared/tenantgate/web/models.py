"""The base classes of every model: strict for bodies and responses, lenient for the queries of pages."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

UserId = Annotated[str, Field(description="The user's id, unique only together with the token's issuer.")]


class StrictModel(BaseModel):
    """Refuses unknown members and converts no values: the string "1" is not a number, and 1 is not a boolean."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RelayedParameters(BaseModel):
    """A body with the parameters of another server's redirect. Ignores the ones that it adds (`session_state`)."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class PageParameters(BaseModel):
    """The query of a page that people link to. Ignores the parameters that others add (`fbclid`, `utm_…`)."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)
