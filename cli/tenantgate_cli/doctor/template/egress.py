"""The way from the functions' network to the issuers."""

from __future__ import annotations

from typing import cast

from tenantgate.settings.errors import SettingsError
from tenantgate_cli.checks.egress import Egress, check_egress
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.doctor.template.environments import parsed_settings
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning


def egress(of: Deployment) -> Finding:
    """Compare the parameter `Egress` with the issuers of this deployment."""
    chosen = of.values.get("Egress", "")
    if of.values.get("Preset", "external") == "external" or chosen not in ("nat", "ipv6", "none"):
        return skipped("the preset external makes no network: its subnets decide")
    try:
        settings = parsed_settings(of)
    except SettingsError:
        return skipped("the settings are invalid")
    issuers = settings.token_policy.issuers
    found = check_egress(
        cast("Egress", chosen),
        issuers,
        sign_in_issuer=settings.oidc_issuer_url,
        proxy=of.values.get("HttpsProxy", ""),
    )
    if not found:
        return ok(f"{chosen} reaches {len(issuers)} issuer(s)")
    text = "; ".join(f"{each.issuer}: {each.problem}" for each in found)
    fix = "; ".join(dict.fromkeys(each.remedy for each in found))
    return failed(text, fix) if any(each.status == "failed" for each in found) else warning(text, fix)
