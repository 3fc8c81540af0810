"""The region of AWS's own commands: boto3 reads only the second of its two variables."""

from __future__ import annotations

from collections.abc import Mapping


def region_of(variables: Mapping[str, str]) -> str | None:
    """Return the region of these variables, or None for that of the AWS configuration."""
    return variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or None
