"""A wrong setting: the start stops, and the message names each variable and the fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenantgate.observability.setting_text import shown_setting

# Their values are never repeated in a message or a log; the URLs may carry passwords.
SECRET_VARIABLES = frozenset(
    {
        *("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"),
        *(
            "OIDC_CLIENT_SECRET",
            "COOKIE_SEALING_KEYS",
            "KEY_ENCRYPTION_KEYS",
            "AUDIT_SIGNING_KEYS",
            "EVENT_POLL_AUTHORIZATION",
        ),
    }
)
# These may carry a password, too.
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")


class SettingsError(Exception):
    """The process can't start. `problems`: variable → the problem and the fix; the text lists them all.

    `notes` (see `settings/notes.py`) follow them: a misspelled name is a probable cause.
    """

    def __init__(self, problems: Mapping[str, str], values: Mapping[str, str], notes: Sequence[str] = ()) -> None:
        self.problems = dict(problems)
        lines = [f"Tenantgate can't start: {len(problems)} setting{'s are' if len(problems) > 1 else ' is'} wrong."]
        for variable, problem in problems.items():
            lines.append(f"  {variable} {_shown(variable, values)}: {problem}")
        lines += [f"  note: {note}" for note in notes]
        super().__init__("\n".join(lines))


def _shown(variable: str, values: Mapping[str, str]) -> str:
    if not values.get(variable):
        return "is not set"
    if variable in SECRET_VARIABLES or variable in PROXY_VARIABLES:
        return "(a secret, not shown)"
    return f"is {shown_setting(variable, values[variable])}"
