"""The declaration of one setting: its pydantic field with the text for the documentation."""

from __future__ import annotations

import os
from typing import Any

from pydantic import Field, ValidationInfo
from pydantic.config import JsonDict


def setting(
    purpose: str, *, injected_by: str = "operator", example: str = "", needed_by: str = "", **field: Any
) -> Any:
    """Declare a field with its description in `docs/CONFIGURATION.md` and `.env.example`.

    `needed_by`: the functions that require it, where not all do; they check it themselves.
    """
    documented: JsonDict = {"injected_by": injected_by, "example": example, "needed_by": needed_by}
    return Field(description=purpose, json_schema_extra=documented, **field)


def is_relaxed(info: ValidationInfo) -> bool:
    """Tell whether this is development or test: only these have defaults for settings that production must state, and
    accept plain http on loopback.
    """
    return info.data.get("environment") in ("development", "test")


def on_lambda() -> bool:
    """Tell whether this process runs in a Lambda environment."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ
