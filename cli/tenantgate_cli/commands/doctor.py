"""`tenantgate doctor`: check a running configuration against its live parts, or a deployment before it begins."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from tenantgate_cli.build.sam import BUILD
from tenantgate_cli.deploy.region import region_of
from tenantgate_cli.deploy.release import stack_of
from tenantgate_cli.doctor.configuration import configuration
from tenantgate_cli.doctor.registry import run as run_checks
from tenantgate_cli.doctor.template.deployment import LAYER, Deployment, read_parameters
from tenantgate_cli.doctor.template.registry import run as run_template_checks
from tenantgate_cli.outcomes import passed, report
from tenantgate_cli.paths import TEMPLATE, shown


def run(data_dir: Path, *, as_json: bool = False) -> bool:
    """Print the outcomes. Return True if no check failed. Raises Failure if nothing is configured."""
    # The product's own code logs the problems that this command prints.
    logging.getLogger().addHandler(logging.NullHandler())
    of = configuration(data_dir)
    outcomes = run_checks(of)
    report(of.source, outcomes, as_json=as_json)
    return passed(outcomes)


def run_template(
    params: Path | None, template: Path | None, stack: str | None = None, *, as_json: bool = False
) -> bool:
    """Check the built template, or else the source's, with the parameters in `params`. Raises Failure.

    `stack` is the name of the stack, by default that of `sam deploy` without a configuration.
    """
    given = {} if params is None else read_parameters(params)
    of = deployment(given, template, stack=stack or stack_of("default"), region=region_of(os.environ))
    outcomes = run_template_checks(of)
    report(shown(of.template), outcomes, as_json=as_json)
    return passed(outcomes)


def deployment(
    parameters: Mapping[str, str],
    template: Path | None = None,
    *,
    stack: str,
    region: str | None = None,
    is_required: bool = False,
) -> Deployment:
    """Return the deployment of the template, by default the built one, with the bundles in its folder."""
    built = BUILD / "template.yaml"
    chosen = template or (built if built.is_file() else TEMPLATE)
    build = chosen.parent if (chosen.parent / LAYER).is_dir() else None
    return Deployment(chosen, parameters, build, region=region, stack=stack, is_required=is_required)
