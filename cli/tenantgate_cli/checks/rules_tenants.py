"""Find templates that take the tenant of Lambda's tenant isolation from the client.

A function with `TenancyConfig` runs each tenant in its own environments, chosen by the header X-Amz-Tenant-Id of the
invocation. A client that sets it runs in another tenant's environments, next to that tenant's data.
https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lambda_gateway.model import TemplateError
from lambda_gateway.template.document import load_template
from tenantgate_cli.checks.rules_safety import Finding
from tenantgate_cli.checks.rules_template import Place, template_lines
from tenantgate_cli.console import Failure

VERIFIED = "context.authorizer.tenant_id"
# Lambda's reference spells the header in both ways.
_HEADERS = ("x-amz-tenant-id", "x-amzn-tenant-id")
_PARAMETERS = frozenset(f"integration.request.header.{header}" for header in _HEADERS)
_OVERRIDE = "requestoverride.header"
_REMEDY = f"write integration.request.header.X-Amz-Tenant-Id: {VERIFIED} in the integration's request parameters"
_NO_TENANT = "Lambda refuses every such invocation"


def tenant_findings(path: Path) -> list[Finding]:
    """Return the findings in the order of their lines. Raises Failure if the template can't be read."""
    try:
        document = load_template(path)
    except TemplateError as error:
        raise Failure(str(error), f"sam validate --lint --template {path}") from None
    lines = template_lines(path.read_text("utf-8"))
    found = [*_mappings(document, (), lines), *_events(document, lines)]
    return sorted(found, key=lambda finding: finding.line)


def _mappings(value: object, place: Place, lines: Mapping[Place, int]) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, item in value.items():
            here = (*place, key)
            if str(key).strip().lower() in _PARAMETERS and item != VERIFIED:
                source = item if isinstance(item, str) else "an expression"
                problem = f"the tenant of the function's environment is {source}, not the verified tenant of the token"
                yield Finding(_line(here, lines), problem, _REMEDY, unsafe=True)
            yield from _mappings(item, here, lines)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mappings(item, (*place, index), lines)
    elif isinstance(value, str) and _OVERRIDE in (text := value.lower()) and any(name in text for name in _HEADERS):
        yield Finding(
            _line(place, lines),
            "a mapping template sets the tenant of the function's environment, and can't be checked",
            _REMEDY,
            unsafe=True,
        )


def _events(document: Mapping[str, object], lines: Mapping[Place, int]) -> Iterator[Finding]:
    """Yield the events of isolated functions whose integration is SAM's own, which passes no tenant."""
    resources = _map(document.get("Resources"))
    shared = _map(_map(document.get("Globals")).get("Function"))
    for function, body in resources.items():
        properties = _map(_map(body).get("Properties"))
        if not (properties.get("TenancyConfig") or shared.get("TenancyConfig")):
            continue
        for name, event in _map(properties.get("Events")).items():
            line = _line(("Resources", function, "Properties", "Events", name), lines)
            kind = _map(event).get("Type")
            api = _map(_map(_map(event).get("Properties")).get("RestApiId")).get("Ref")
            if kind == "HttpApi":
                problem = f"{function} isolates tenants, and an HTTP API can't pass the tenant: {_NO_TENANT}"
                yield Finding(line, problem, "use a REST API")
            elif kind == "Api" and "DefinitionBody" not in _map(_map(resources.get(str(api))).get("Properties")):
                problem = f"{function} isolates tenants, and SAM's integration passes no tenant: {_NO_TENANT}"
                yield Finding(line, problem, f"give the API a DefinitionBody, and {_REMEDY}")


def _map(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)
