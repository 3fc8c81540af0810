"""The stack's name, with which the names of its resources begin: some services allow less than CloudFormation.

A nested stack declares the names that it can take, but refuses others only after the rest has been made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lambda_gateway.model import TemplateError
from lambda_gateway.template.document import load_template
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.outcomes import Finding, failed, ok

# CloudFormation API, CreateStack: StackName.
_ALLOWED = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_FIX = "change stack_name in samconfig.toml, or name it: --stack-name"


def stack_name(of: Deployment) -> Finding:
    """Compare the stack's name with CloudFormation's rules, and with those of the nested stacks that get it."""
    if not _ALLOWED.fullmatch(of.stack):
        return failed(f"{of.stack!r} must be 1 to 128 letters, digits and hyphens, beginning with a letter", _FIX)
    try:
        problems = list(dict.fromkeys(_problems(of)))
    except TemplateError as error:
        return failed(str(error), "make build, or deploy the whole checkout")
    return failed(f"{of.stack!r} {'; '.join(problems)}", _FIX) if problems else ok(of.stack)


def _problems(of: Deployment) -> Iterator[str]:
    for logical, properties in of.nested_stacks.items():
        given, location = properties.get("Parameters"), properties.get("TemplateURL")
        names = [name for name, value in _items(given) if value == {"Ref": "AWS::StackName"}]
        if not names or not isinstance(location, str):
            continue
        declared = dict(_items(load_template(of.template.parent / location).get("Parameters")))
        for name in names:
            body = dict(_items(declared.get(name)))
            pattern = body.get("AllowedPattern")
            if isinstance(pattern, str) and not re.fullmatch(pattern, of.stack):
                form = body.get("ConstraintDescription") or f"like {pattern}"
                yield f"must be {form}, for the nested stack {logical}"


def _items(value: object) -> Iterator[tuple[str, object]]:
    yield from (value.items() if isinstance(value, dict) else ())
