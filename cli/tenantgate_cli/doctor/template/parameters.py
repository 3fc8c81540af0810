"""The parameters: complete, in the declared form, and as the template's `Rules` ask for each preset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lambda_gateway.model import TemplateError
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.outcomes import Finding, failed, ok

_FIX = "correct them in the parameter file, or pass them to make deploy as variables"


def parameters(of: Deployment) -> Finding:
    """Check the values against the template's declarations and rules, as CloudFormation does."""
    problems = [*_unknown(of), *_values(of)]
    if not problems:
        problems = list(_rules(of))
    if problems:
        return failed("; ".join(problems), _FIX)
    preset = of.values.get("Preset", "external")
    return ok(f"preset {preset}: {len(of.parameters)} given, {len(of.declared)} declared")


def _unknown(of: Deployment) -> Iterator[str]:
    yield from (f"{name} is no parameter of the template" for name in of.parameters if name not in of.declared)


def _values(of: Deployment) -> Iterator[str]:
    for name, body in of.declared.items():
        value = of.values.get(name)
        if value is None:
            yield f"{name} has no value"
        elif problem := _problem(value, body):
            yield f"{name} {problem}"


def _problem(value: str, body: Mapping[str, object]) -> str:
    """Return the problem of a value, which the text doesn't repeat: it may be a secret."""
    allowed, pattern = body.get("AllowedValues"), body.get("AllowedPattern")
    items = value.split(",") if body.get("Type") == "CommaDelimitedList" else [value]
    if isinstance(allowed, list) and value not in [str(each) for each in allowed]:
        return f"is not one of {', '.join(map(str, allowed))}"
    if isinstance(pattern, str) and not all(re.fullmatch(pattern, item.strip()) for item in items):
        return f"must be {body.get('ConstraintDescription') or f'like {pattern}'}"
    if body.get("Type") == "Number":
        return _number_problem(value, body)
    least, most = (int(str(body.get(name, default))) for name, default in (("MinLength", 0), ("MaxLength", 4096)))
    return "" if least <= len(value) <= most else f"must have {least} to {most} characters"


def _number_problem(value: str, body: Mapping[str, object]) -> str:
    try:
        number = float(value)
    except ValueError:
        return "is not a number"
    least, most = body.get("MinValue"), body.get("MaxValue")
    if least is not None and number < float(str(least)):
        return f"must be at least {least}"
    if most is not None and number > float(str(most)):
        return f"must be at most {most}"
    return ""


def _rules(of: Deployment) -> Iterator[str]:
    """Yield the descriptions of the failing assertions in the template's `Rules`."""
    section = of.document.get("Rules")
    for name, rule in (section if isinstance(section, dict) else {}).items():
        where = f"Rules.{name}"
        try:
            if "RuleCondition" in rule and not of.resolver.resolve(rule["RuleCondition"], where):
                continue
            for assertion in rule.get("Assertions", []):
                if not of.resolver.resolve(assertion["Assert"], where):
                    yield str(assertion.get("AssertDescription", f"the rule {name} is broken"))
        except TemplateError as error:
            yield str(error)
