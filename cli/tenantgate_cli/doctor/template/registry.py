"""The checks before a deployment, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tenantgate_cli.doctor.template.account import account, quotas
from tenantgate_cli.doctor.template.bundles import architecture, bytecode, sizes
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.doctor.template.egress import egress
from tenantgate_cli.doctor.template.environments import environment_sizes, settings
from tenantgate_cli.doctor.template.names import stack_name
from tenantgate_cli.doctor.template.parameters import parameters
from tenantgate_cli.doctor.template.release import base_image, release_id, route_rules, schema_revision
from tenantgate_cli.doctor.template.secrets import owner_login, secrets
from tenantgate_cli.outcomes import Check, Finding, Outcome, run_all

# Zipping the layer is the longest.
_SECONDS = 120.0
CHECKS: dict[str, Callable[[Deployment], Finding]] = {
    "account": account,
    "quotas": quotas,
    "stack name": stack_name,
    "parameters": parameters,
    "settings": settings,
    "environments": environment_sizes,
    "owner login": owner_login,
    "secrets": secrets,
    "egress": egress,
    "bundle sizes": sizes,
    "bytecode": bytecode,
    "architecture": architecture,
    "route rules": route_rules,
    "release id": release_id,
    "schema revision": schema_revision,
    "base image": base_image,
}


def run(of: Deployment) -> list[Outcome]:
    """Run the checks at the same time. Raises Failure if the template can't be read."""
    # Here, so that a template that can't be read isn't reported by each check.
    _ = of.document
    checks = [Check(name, partial(check, of), _SECONDS) for name, check in CHECKS.items()]
    return run_all(checks, list(of.hidden()))
