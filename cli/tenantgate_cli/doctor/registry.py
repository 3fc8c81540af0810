"""The checks of a running configuration, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tenantgate_cli.doctor.audit_log import audit_log
from tenantgate_cli.doctor.cache import republisher, revocations, valkey
from tenantgate_cli.doctor.clocks import cache_clock, database_clock, provider_clock
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.doctor.data_keys import data_keys
from tenantgate_cli.doctor.database import database, row_security, schema
from tenantgate_cli.doctor.events import security_events
from tenantgate_cli.doctor.issuers import discovery, keys
from tenantgate_cli.doctor.owner import owner
from tenantgate_cli.doctor.public_url import public_url
from tenantgate_cli.doctor.secrets import kms, secrets
from tenantgate_cli.doctor.settings import settings
from tenantgate_cli.outcomes import Check, Finding, Outcome, run_all, skipped

# Longer than the limits of the checks' own calls. It ends what they can't interrupt, such as the lookup of a name.
_SECONDS = 20.0
_PARTS: dict[str, Callable[[Configuration], Finding]] = {
    "database": database,
    "row security": row_security,
    "schema": schema,
    "owner": owner,
    "valkey": valkey,
    "revocation list": revocations,
    "republisher": republisher,
    "secrets": secrets,
    "kms key": kms,
    "data keys": data_keys,
    "audit log": audit_log,
    "provider clock": provider_clock,
    "database clock": database_clock,
    "valkey clock": cache_clock,
    "security events": security_events,
    "public url": public_url,
}


def run(of: Configuration, *, seconds: float = _SECONDS) -> list[Outcome]:
    """Check the settings, then everything else at the same time. Invalid settings leave the rest unchecked."""
    hidden = list(of.hidden())
    first = run_all([Check("settings", partial(settings, of))], hidden)
    if first[0].finding.status == "failed":
        rest = skipped("not checked: the settings are invalid")
        return [*first, *(Outcome(name, rest, None) for name in ("discovery", "keys", *_PARTS))]
    issuers = of.settings.token_policy.issuers
    checks = [
        *(Check(f"discovery {issuer.issuer}", partial(discovery, of, issuer), seconds) for issuer in issuers),
        *(Check(f"keys {issuer.issuer}", partial(keys, of, issuer), seconds) for issuer in issuers),
        *(Check(name, partial(check, of), seconds) for name, check in _PARTS.items()),
    ]
    return first + run_all(checks, hidden)
