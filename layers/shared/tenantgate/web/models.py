"""The base of every model: strict for bodies and responses, indulgent for the queries of pages."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

UserId = Annotated[str, Field(description="The user's id, unique only together with the token's issuer.")]


class StrictModel(BaseModel):
    """Refuses unknown members and converts nothing: the string "1" is no number, the number 1 no string or boolean."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PageParameters(BaseModel):
    """The query of a page that people link to: parameters that others add to links (`fbclid`, `utm_…`) are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)
