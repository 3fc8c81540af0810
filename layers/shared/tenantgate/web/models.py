"""The strict base of every request and response model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Refuses unknown members and converts nothing: the string "1" is no number, the number 1 no string or boolean."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
