"""Deploy to AWS, for `make deploy`: build, check, deploy, store the client secret, and test the deployed API.

python -m tenantgate_cli.commands.deploy dev|staging|prod [--params FILE] [--arch arm64|x86_64] [--dry-run]

The variables OIDC_ISSUER_URL and OIDC_CLIENT_ID stand for the parameters that the file doesn't have. The client secret
comes from the variable OIDC_CLIENT_SECRET or a prompt, a token for the test from TENANTGATE_TOKEN.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from tenantgate_cli.build.sam import BUILD, Architecture, build
from tenantgate_cli.build.uv import UvMissing
from tenantgate_cli.commands.doctor import deployment
from tenantgate_cli.console import Failure, say, show_failure
from tenantgate_cli.deploy.checkout import clean_commit
from tenantgate_cli.deploy.client_secret import NAME, given_secret, put_secret
from tenantgate_cli.deploy.release import Release, Stage, release_of
from tenantgate_cli.deploy.stack import deploy_arguments, deploy_stack, stack_outputs
from tenantgate_cli.doctor.template.registry import run as run_template_checks
from tenantgate_cli.outcomes import passed, report
from tenantgate_cli.paths import DEFAULT_DATA_DIR, shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="make deploy", description="Deploy this commit to AWS.")
    parser.add_argument("stage", choices=get_args(Stage.__value__))
    parser.add_argument("--params", type=Path, help="the parameters (default: infra/params/<stage>.yaml)")
    parser.add_argument("--arch", choices=get_args(Architecture.__value__), default="arm64")
    parser.add_argument("--build-dir", type=Path, default=BUILD)
    parser.add_argument("--dry-run", action="store_true", help="print the steps, and do nothing")
    given = parser.parse_args()
    try:
        release = release_of(given.stage, clean_commit(), os.environ, params=given.params, architecture=given.arch)
        build_dir = given.build_dir.absolute()
        if given.dry_run:
            show_steps(release, build_dir)
            return 0
        return 0 if run(release, os.environ, build_dir) else 1
    except (Failure, UvMissing) as error:
        show_failure(error if isinstance(error, Failure) else Failure(str(error)))
        return 1


def run(release: Release, variables: Mapping[str, str], build_dir: Path) -> bool:
    """Take all steps. Return False if the deployed API fails its test. Raises Failure at the first other failure."""
    # First, so that no user waits for the question.
    secret = given_secret(variables)
    say(f"{release.stack}: release {release.parameters['ReleaseId'][:12]} of commit {release.commit[:12]}")
    template = _built(release, build_dir)
    _checked(release, template)
    deploy_stack(release, template)
    outputs = stack_outputs(release)
    arn = outputs.get("SecretArn") or release.parameters.get("SecretArn", "")
    if not arn:
        raise Failure(f"{release.stack} has no output SecretArn", "deploy this version's own template")
    say(f"{NAME} was stored" if put_secret(arn, secret, release.region) else f"{NAME} is unchanged")
    return _smoke(release, variables, outputs)


def show_steps(release: Release, build_dir: Path) -> None:
    """Print the steps with their arguments, without any value of a parameter."""
    template = build_dir / "template.yaml"
    say(f"would deploy {release.stack}, release {release.parameters['ReleaseId'][:12]} of {release.commit[:12]}:")
    say(f"1. make build ARCH={release.architecture}")
    say(f"2. tenantgate doctor --template: parameters of {shown(release.source)} and this shell:")
    say(f"     {', '.join(sorted(release.parameters))}")
    say(f"3. sam {' '.join(deploy_arguments(release, template, '<temporary file with the parameters>'))}")
    say(f"4. put {NAME} into the secret of the output SecretArn, if one is given")
    say("5. tenantgate smoke <URL of the deployed API>")


def _built(release: Release, build_dir: Path) -> Path:
    done = build(release.architecture, build_dir)
    if done.returncode != 0:
        raise Failure(f"the build failed:\n{done.stdout}", f"make build ARCH={release.architecture}")
    return build_dir / "template.yaml"


def _checked(release: Release, template: Path) -> None:
    of = deployment(release.parameters, template, region=release.region, stack=release.stack, is_required=True)
    outcomes = run_template_checks(of)
    report(shown(template), outcomes, as_json=False)
    if not passed(outcomes):
        raise Failure("the deployment did not begin: a check failed", "fix it, and run make deploy again")


def _smoke(release: Release, variables: Mapping[str, str], outputs: Mapping[str, str]) -> bool:
    from tenantgate_cli.commands.smoke import run as run_smoke  # noqa: PLC0415  (only at the end)

    domain = release.parameters.get("DomainName", "")
    url = release.parameters.get("PublicBaseUrl") or (f"https://{domain}" if domain else outputs.get("ApiUrl", ""))
    if not url:
        raise Failure(f"{release.stack} has no output ApiUrl", "deploy this version's own template")
    origin = release.parameters.get("AllowedOrigins", "").partition(",")[0].strip() or None
    token = variables.get("TENANTGATE_TOKEN") or None
    return run_smoke(url, token=token, origin=origin, data_dir=DEFAULT_DATA_DIR)


if __name__ == "__main__":
    sys.exit(main())
