"""Read the product's SAM template for a run on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambda_gateway.model import Template
from lambda_gateway.template.reader import read_template

# The name of the stack in samconfig.toml, without a stage. Other stacks import its exports by this name.
STACK = "tenantgate"
_SECRET_ID = "AWS_SECRETS_MANAGER_SECRET_ID"  # noqa: S105  (a variable's name)


def read_product_template(
    path: Path, variables: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
) -> Template:
    """Read the template. Functions that may read the secret from Secrets Manager get `secrets` as variables.

    Raises TemplateError.
    """
    return read_template(path, variables, {_SECRET_ID: secrets or {}}, stack=STACK)
