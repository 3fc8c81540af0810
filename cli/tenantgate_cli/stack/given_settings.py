"""Check the caller's settings before a stack starts, and note those that have no effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tenantgate.settings.deployment import SECRET_NAMES
from tenantgate.settings.misspelled import misspelling_notes
from tenantgate.settings.model import SETTING_NAMES
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.variables import OTHER_PROVIDER_VARIABLES, base_url, choose_provider, variables_for

# Stand for the servers that don't run yet.
_DATABASE = "postgresql://role@127.0.0.1:5432/tenantgate"
_CACHE = "redis://127.0.0.1:6379/0"
# `.env.example` sets this one.
_EXAMPLES = frozenset({"JWT_TENANT_CLAIM_NAME"})


def check_settings(port: int, given: Mapping[str, str]) -> None:
    """Raise Failure if the caller's variables are invalid; it names all of them. `port` may be 0, for any free one."""
    # Without the stored secrets: they are not the caller's.
    variables_for(
        port or 3000,
        given,
        dict.fromkeys(SECRET_NAMES, ""),
        app_url=_DATABASE,
        owner_url=_DATABASE,
        redis_url=given.get("REDIS_URL") or _CACHE,
    )


def setting_notes(port: int, given: Mapping[str, str], folder: DataFolder) -> list[str]:
    """Return the notes on the caller's variables, valid or not."""
    return [*misspelling_notes(given, SETTING_NAMES), *_ignored(port, given, folder)]


def _ignored(port: int, given: Mapping[str, str], folder: DataFolder) -> Iterable[str]:
    """Yield a note for each setting that a stack on this machine doesn't use. No note contains a value."""
    built_in = choose_provider(given, base_url(port or 3000, given)).built_in
    secrets = f"{folder.shown()}/secrets.json"
    if built_in and given.get("OIDC_CLIENT_SECRET"):
        yield "OIDC_CLIENT_SECRET is ignored: the built-in provider has its own"
    for name in ("COOKIE_SEALING_KEYS", "KEY_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEYS"):
        if given.get(name):
            yield f"{name} is ignored: this stack has its own in {secrets}"
    if given.get("AWS_SECRETS_MANAGER_SECRET_ID"):
        yield f"AWS_SECRETS_MANAGER_SECRET_ID is ignored: this stack has its secrets in {secrets}"
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        if given.get(name):
            yield f"{name} is ignored: this stack has its own database in {folder.shown()}"
    if given.get("ENVIRONMENT", "development").strip().lower() not in ("development", ""):
        yield "ENVIRONMENT is ignored: a stack on this machine is always a development one"
    theirs = [name for name in OTHER_PROVIDER_VARIABLES if given.get(name) and name not in _EXAMPLES]
    if built_in and theirs:
        is_are = "is" if len(theirs) == 1 else "are"
        yield f"{', '.join(theirs)} {is_are} ignored: OIDC_ISSUER_URL isn't set, so the built-in provider is used"
