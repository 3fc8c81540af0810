"""Notes on settings that have no effect: probably misspelled names, and secrets that another source replaces.

They stop nothing: other programs use the same environment. No note contains a value.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tenantgate.settings.deployment import OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.settings.misspelled import misspelling_notes
from tenantgate.settings.model import SETTING_NAMES, Settings

logger = logging.getLogger(__name__)


def log_notes(settings: Settings, variables: Mapping[str, str]) -> None:
    """Log each note on this process's variables as a warning."""
    for note in [*misspelling_notes(variables, SETTING_NAMES), *ignored_secret_notes(settings, variables)]:
        logger.warning("%s", note)


def ignored_secret_notes(settings: Settings, variables: Mapping[str, str]) -> list[str]:
    """Return a note for each secret in the environment that Secrets Manager's takes precedence over."""
    if settings.aws_secrets_manager_secret_id is None:
        return []
    is_spare = settings.environment in ("development", "test")
    effect = "is used only while Secrets Manager can't be read" if is_spare else "is ignored"
    return [
        f"{name} in the environment {effect}: AWS_SECRETS_MANAGER_SECRET_ID is set"
        for name in (*SECRET_NAMES, *OPTIONAL_SECRET_NAMES)
        if variables.get(name)
    ]
