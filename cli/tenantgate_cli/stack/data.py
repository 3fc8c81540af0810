"""The stack on a developer's machine: data folder, secrets, PostgreSQL, migrations, and the variables that join them.

What lies in the data folder (`.local/`):

    dev.json        who is using the folder: process id, address, owner's database URL; readable by the caller alone
    secrets.json    client secret and sealing keys, random, so that sessions survive a restart
    postgres/       the database
    logs/           what each function wrote in the last run
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenantgate.settings.deployment import DEVELOPMENT_ORIGINS, SECRET_NAMES
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.ports import HOST

ROOT = Path(__file__).resolve().parents[3]
DEFAULT_DATA_DIR = Path(".local")
BUILT_IN_CLIENT_ID = "tenantgate-dev"
BUILT_IN_AUDIENCE = "tenantgate-api"
RESET_REMEDY = "make dev RESET=1   (starts over; deletes the data)"
_PROVIDER_VARIABLES = ("OIDC_ISSUER_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
_OWN_FILES = ("secrets.json", "postgres", "logs")
# What belongs to the chosen provider, and would mislead with the built-in one.
_OF_THE_PROVIDER = (
    *("OIDC_AUDIENCE", "OIDC_SCOPES", "OIDC_RESOURCE", "OIDC_AUTHORIZE_PARAMS", "OIDC_JWKS_FILE", "TRUSTED_ISSUERS"),
    *("JWT_TENANT_CLAIM_NAME", "JWT_ROLES_CLAIM_NAME", "TENANT_ID_PATTERN"),
)
_PASSED_ON = (
    *("LOG_LEVEL", "JWT_MAX_LIFETIME_MINUTES", "JWT_LEEWAY_SECONDS", "JWKS_CACHE_TTL_SECONDS"),
    *("JWKS_MAX_AGE_SECONDS", "REDIS_URL"),
)
# Where this machine keeps the certificates it trusts. Not its proxies: token verification knows none.
_OF_THE_MACHINE = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Provider:
    """Which OpenID provider is in use. `note` says why not the one that half of the variables name."""

    issuer: str
    built_in: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Variables:
    """What the functions are given: settings, secrets, and what only this machine needs."""

    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    machine: Mapping[str, str]
    provider: Provider


def environment(folder: Path = ROOT) -> dict[str, str]:
    """The caller's environment, with `.env` beneath it."""
    variables = dict(os.environ)
    file = folder / ".env"
    if not file.is_file():
        return variables
    from dotenv import dotenv_values  # noqa: PLC0415 - only where there is one

    written = {name: value for name, value in dotenv_values(file).items() if value}
    return {**written, **{name: value for name, value in variables.items() if value}}


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def choose_provider(given: Mapping[str, str], base: str) -> Provider:
    """The provider of OIDC_ISSUER_URL, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET if all are set, else the built-in one."""
    present = [name for name in _PROVIDER_VARIABLES if given.get(name)]
    own = f"{base}/idp"
    if len(present) == len(_PROVIDER_VARIABLES) and given["OIDC_ISSUER_URL"] != own:
        return Provider(given["OIDC_ISSUER_URL"], built_in=False)
    missing = [name for name in _PROVIDER_VARIABLES if not given.get(name)]
    note = ""
    if "OIDC_ISSUER_URL" in present and missing and given["OIDC_ISSUER_URL"] != own:
        note = f"OIDC_ISSUER_URL is set, but {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not"
    return Provider(own, built_in=True, note=note)


def variables_for(
    port: int, given: Mapping[str, str], stored: Mapping[str, str], *, app_url: str, owner_url: str
) -> Variables:
    """Raises Failure when a variable of the caller's is wrong: all of them are named at once."""
    base = base_url(port)
    provider = choose_provider(given, base)
    origins = [base, f"http://localhost:{port}", *(_listed(given.get("ALLOWED_ORIGINS")) or DEVELOPMENT_ORIGINS)]
    settings = {name: given[name] for name in _PASSED_ON if given.get(name)}
    if given.get("ROUTE_RULES_FILE"):
        # The functions' working directory is another one.
        settings["ROUTE_RULES_FILE"] = str(Path(given["ROUTE_RULES_FILE"]).absolute())
    settings |= {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": given.get("LOG_LEVEL") or "DEBUG",
        "PUBLIC_BASE_URL": base,
        "ALLOWED_ORIGINS": ",".join(dict.fromkeys(origins)),
        "DATABASE_URL": app_url,
        "DATABASE_OWNER_URL": owner_url,
        "OIDC_ISSUER_URL": provider.issuer,
        # No AWS: the secrets below stand in for Secrets Manager.
        "AWS_SECRETS_MANAGER_SECRET_ID": "",
        "SECRET_ARN": "",
    }
    kept = dict(stored)
    if provider.built_in:
        settings |= {"OIDC_CLIENT_ID": BUILT_IN_CLIENT_ID, "OIDC_AUDIENCE": BUILT_IN_AUDIENCE}
    else:
        settings["OIDC_CLIENT_ID"] = given["OIDC_CLIENT_ID"]
        settings |= {name: given[name] for name in _OF_THE_PROVIDER if given.get(name)}
        kept["OIDC_CLIENT_SECRET"] = given["OIDC_CLIENT_SECRET"]
    try:
        Settings.from_mapping({name: value for name, value in settings.items() if name != "SECRET_ARN"})
    except SettingsError as error:
        raise Failure(str(error), "set these variables right, or unset them; then start again") from error
    machine = {name: given[name] for name in _OF_THE_MACHINE if given.get(name)}
    return Variables(settings, {name: kept[name] for name in SECRET_NAMES}, machine, provider)


class DataFolder:
    """The data folder, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.postgres = path / "postgres"
        self.logs = path / "logs"
        self._state = path / "dev.json"

    def shown(self) -> str:
        """As a person would write it: relative to the working directory if it lies there."""
        try:
            return str(self.path.absolute().relative_to(Path.cwd()))
        except ValueError:
            return str(self.path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others out while the block runs; the lock goes with the process, however that ends. Raises Failure."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._state, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Failure(
                f"the data folder {self.shown()} can't be used: {error.strerror}",
                "give another with --data-dir, or make this one a folder that you may write to",
            ) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Failure(
                    f"the data folder {self.shown()} is in use by {self._holder()}",
                    "stop that one first, or give this one its own folder: --data-dir .local-2",
                ) from error
            yield
        finally:
            os.close(handle)

    def tell(self, **state: object) -> None:
        """Let other commands know how to reach this stack."""
        self._state.write_text(json.dumps({"pid": os.getpid(), **state}))

    def forget(self) -> None:
        self._state.write_text("")

    def running(self) -> dict[str, str]:
        """What a running stack told; empty if none is running."""
        try:
            with self._state.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return {name: str(value) for name, value in json.loads(file.read() or "{}").items()}
        except (OSError, ValueError):
            pass
        return {}

    def _holder(self) -> str:
        state = self.running()
        if "pid" not in state:
            return "another tenantgate"
        return f"tenantgate (process {state['pid']}{', ' + state['url'] if 'url' in state else ''})"

    def reset(self) -> None:
        """Delete what a stack made here, and nothing else: the folder may be one that the caller chose."""
        for name in _OWN_FILES:
            target = self.path / name
            try:
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                else:
                    target.unlink(missing_ok=True)
            except OSError as error:
                raise Failure(
                    f"{target} can't be deleted: {error.strerror}", f"delete it yourself: rm -rf {target}"
                ) from error

    def secrets(self) -> dict[str, str]:
        """The stack's own secrets, made at the first start. Raises Failure when the file is broken."""
        file = self.path / "secrets.json"
        if not file.exists():
            made = {
                "OIDC_CLIENT_SECRET": secrets.token_urlsafe(32),
                "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="),
            }
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as stream:
                json.dump(made, stream)
            return made
        try:
            stored = json.loads(file.read_text())
        except (OSError, ValueError):
            stored = None
        if not isinstance(stored, dict) or not all(isinstance(stored.get(name), str) for name in SECRET_NAMES):
            raise Failure(f"the data folder is broken: {self.shown()}/secrets.json can't be read", RESET_REMEDY)
        return stored


def _listed(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]
