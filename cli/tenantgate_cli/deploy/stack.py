"""The stack: deployed by SAM, and its outputs."""

from __future__ import annotations

import json
from pathlib import Path

from tenantgate_cli.build.sam import sam, sam_shown
from tenantgate_cli.console import Failure
from tenantgate_cli.deploy.release import SAM_CONFIG, Release


def deploy_arguments(release: Release, template: Path, parameters: str) -> list[str]:
    """Return the arguments of `sam` that deploy the built template. `parameters`: the path of their file."""
    return [
        *("deploy", "--config-file", str(SAM_CONFIG), "--config-env", release.stage, "--template-file", str(template)),
        *("--parameter-overrides", f"file://{parameters}"),
        *(("--region", release.region) if release.region else ()),
    ]


def deploy_stack(release: Release, template: Path) -> None:
    """Deploy, and show SAM's progress. Raises Failure if CloudFormation rolled the stack back, or did not begin."""
    with release.parameter_file() as file:
        status = sam_shown(*deploy_arguments(release, template, str(file)))
    if status != 0:
        raise Failure(
            f"sam deploy failed with status {status}; CloudFormation keeps or restores the release before",
            f"read the reason in the events above, or: sam list resources --stack-name {release.stack}",
        )


def stack_outputs(release: Release) -> dict[str, str]:
    """Return the stack's outputs by name. Raises Failure."""
    region = ("--region", release.region) if release.region else ()
    done = sam("list", "stack-outputs", "--stack-name", release.stack, "--output", "json", *region)
    try:
        # SAM may print notices before the JSON.
        found = json.loads(done.stdout[done.stdout.index("[") :])
        return {str(each["OutputKey"]): str(each["OutputValue"]) for each in found}
    except (ValueError, KeyError, TypeError):
        raise Failure(
            f"the outputs of {release.stack} can't be read", f"sam list stack-outputs --stack-name {release.stack}"
        ) from None
