"""The settings: valid, and without names that are probably misspelled."""

from __future__ import annotations

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.misspelled import misspelling_notes
from tenantgate.settings.model import SETTING_NAMES
from tenantgate.settings.notes import ignored_secret_notes
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, warning


def settings(of: Configuration) -> Finding:
    """Parse all settings, as each function does at its start."""
    try:
        parsed = of.settings
    except SettingsError as error:
        # The text of the error has the values of the settings that aren't secret.
        _, _, lines = str(error).partition("\n")
        found = "; ".join(line.strip() for line in lines.splitlines())
        return failed(found, "correct these variables; docs/CONFIGURATION.md describes each of them")
    notes = [*misspelling_notes(of.variables, SETTING_NAMES), *ignored_secret_notes(parsed, of.variables)]
    if notes:
        return warning("; ".join(notes), "correct or remove these variables")
    return ok(f"{of.source}: ENVIRONMENT={parsed.environment}, {len(parsed.token_policy.issuers)} trusted issuer(s)")
