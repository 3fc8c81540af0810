"""The release: its id and the schema's revision, the route rules, and the container's base image."""

from __future__ import annotations

import re

from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate.route_rules.file import RulesError, load_rules
from tenantgate_cli.checks.rules_report import RulesFile, guard_findings, template_guards
from tenantgate_cli.console import Failure
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.outcomes import Finding, failed, ok, warning
from tenantgate_cli.paths import ROOT, RULES, shown

DOCKERFILE = ROOT / "container" / "Dockerfile"
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.MULTILINE | re.IGNORECASE)
_ARG = re.compile(r"^ARG\s+(\w+)=(\S+)", re.MULTILINE)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


def release_id(of: Deployment) -> Finding:
    """Check the release's id: with the one of the release before, CloudFormation would publish no new version."""
    if "ReleaseId" not in of.declared:
        return failed("the template has no parameter ReleaseId", "deploy this version's own template")
    value = of.parameters.get("ReleaseId", "")
    if not value.strip("0"):
        return of.unavailable("ReleaseId is not given: no new version would ship", "make deploy computes it")
    return ok(value[:12])


def schema_revision(of: Deployment) -> Finding:
    """Compare the revision to which the deployment migrates with the newest one of the code."""
    if "SchemaRevision" not in of.declared:
        return failed("the template has no parameter SchemaRevision", "deploy this version's own template")
    value = of.values.get("SchemaRevision")
    if value != KNOWN_REVISIONS[-1]:
        return failed(f"{value}, and the code needs {KNOWN_REVISIONS[-1]}", "leave SchemaRevision at its default")
    return ok(f"{value}, the newest")


def route_rules(of: Deployment) -> Finding:
    """Run `tenantgate rules check --template` with the shipped rules."""
    try:
        text = RULES.read_text("utf-8")
        file = RulesFile(shown(RULES), text, load_rules(text))
        found = [each for guard in template_guards(str(of.template)) for each in guard_findings(guard, file, None)]
    except RulesError as error:
        return failed(error.located(shown(RULES)), "tenantgate rules check")
    except (Failure, OSError) as error:
        return failed(str(error), "tenantgate rules check --template template.yaml")
    if found:
        return failed(
            "; ".join(each.problem for each in found), f"tenantgate rules check --template {shown(of.template)}"
        )
    return ok(f"{shown(RULES)} fits the template")


def base_image(_: Deployment) -> Finding:
    """Check that the container's base images are pinned: a tag may name another image tomorrow."""
    text = DOCKERFILE.read_text("utf-8")
    values, stages = dict(_ARG.findall(text)), {stage for _, stage in _FROM.findall(text) if stage}
    images = [re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], ""), name) for name, _ in _FROM.findall(text)]
    unpinned = sorted({image for image in images if image not in stages and not _DIGEST.search(image)})
    if unpinned:
        fix = f"write its digest in {shown(DOCKERFILE)}: docker buildx imagetools inspect {unpinned[0]}"
        return warning(f"{', '.join(unpinned)} has no digest", fix)
    return ok("each base image has a digest")
