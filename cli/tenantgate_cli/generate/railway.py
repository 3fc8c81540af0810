"""Write `docs/RAILWAY_ENV.md` from `.railway/railway.ts` and the settings model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tenantgate_cli.generate.configuration import variables
from tenantgate_cli.paths import ROOT

PROJECT = ROOT / ".railway" / "railway.ts"
API = "API"
_SERVICE = re.compile(r'^  const (\w+) = (?:service|postgres)\("(\w+)"', re.MULTILINE)
_BLOCK = re.compile(r"^    env: \{\n(.*?)^    \},$", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"((?:      // .*\n)+)      ([A-Z_]+): (.+),\n")
_TEMPLATE = "template: "

# Railway itself sets these in each container.
INJECTED = {
    "PORT": "Railway chooses a port and sends the public domain's requests to it.",
    "RAILWAY_PUBLIC_DOMAIN": "The domain in `PUBLIC_BASE_URL`.",
    "RAILWAY_PRIVATE_DOMAIN": "Valkey's name in the private network, in `REDIS_URL`.",
}
# They concern AWS, or a database whose owner has another URL.
_ELSEWHERE = ("AWS_", "DATABASE_OWNER_", "REDIS_IAM_", "SECRET_ARN")

_HEAD = """\
# Variables on Railway

[`.railway/railway.ts`](../.railway/railway.ts) describes the project: PostgreSQL, Valkey and the API. `railway config
plan` shows the changes that `railway config apply` would make. *Injected*: Railway sets the variable. *Provided*: its
value is in the project file. *Yours*: set it once, by `railway variable set NAME=value --service SERVICE` or in the
dashboard; the project file keeps it.

<!-- Written by `make docs` from .railway/railway.ts and layers/shared/tenantgate/settings/model.py -->

"""
_OPTIONAL = """\

## Optional variables of the API

If they are unset, the defaults in [CONFIGURATION.md](CONFIGURATION.md) apply. Without `TRUSTED_PROXIES`, rate limits
per address are off, since every request comes from Railway's proxy, in its network 100.64.0.0/10. Railway documents
only `X-Real-IP`: before you set the variable to that network, check that the last address in `X-Forwarded-For` is the
client's.

"""
_ONE_CLICK = """\

## Values in a one-click template

A template is made from a running project ("Generate Template from Project" in its settings). In the template's editor,
give these variables the values below. Each project gets its own values from the functions. *Asked*: leave it empty,
with the text above as its description. A template reads no project file, so it also needs three variables of Railway's.

"""
_TEMPLATE_VARIABLES = {
    "RAILWAY_DOCKERFILE_PATH": "container/Dockerfile",
    "RAILWAY_HEALTHCHECK_TIMEOUT_SEC": "30",
    "RAILWAY_DEPLOYMENT_DRAINING_SECONDS": "30",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A variable in the project file. `value` is in Railway's notation; empty: yours. `template`: its own, if any."""

    service: str
    name: str
    value: str
    why: str
    template: str

    @property
    def origin(self) -> Literal["provided", "yours"]:
        return "provided" if self.value else "yours"


def project_variables() -> list[Entry]:
    """Return the variables of all services in the project file. Raises ValueError if one can't be read."""
    source = PROJECT.read_text(encoding="utf-8")
    names = dict(_SERVICE.findall(source))
    found: list[Entry] = []
    for block in _BLOCK.finditer(source):
        service = _SERVICE.findall(source[: block.start()])[-1][1]
        entries = list(_ENTRY.finditer(block[1]))
        if "".join(entry[0] for entry in entries) != block[1]:
            raise ValueError(f"{PROJECT.name}: each variable of {service} needs a comment above it")
        found += (_entry(service, entry, names) for entry in entries)
    return found


def _entry(service: str, found: re.Match[str], names: dict[str, str]) -> Entry:
    lines = [line.strip().removeprefix("// ") for line in found[1].splitlines()]
    why = " ".join(line for line in lines if not line.startswith(_TEMPLATE))
    template = "".join(line.removeprefix(_TEMPLATE) for line in lines if line.startswith(_TEMPLATE))
    return Entry(service, found[2], _value(found[3], names), why, template)


def _value(written: str, names: dict[str, str]) -> str:
    if written == "preserve()":
        return ""
    if reference := re.fullmatch(r"(\w+)\.env\.(\w+)", written):
        return f"${{{{{names[reference[1]]}.{reference[2]}}}}}"
    if literal := re.fullmatch(r'"([^"\\]+)"', written):
        return literal[1]
    raise ValueError(f"{PROJECT.name}: the documentation can't show the value {written}")


def railway_page() -> str:
    """Return `docs/RAILWAY_ENV.md`."""
    entries = project_variables()
    return "".join(
        (
            _HEAD,
            *_main_table(entries),
            _OPTIONAL,
            *_optional_table({entry.name for entry in entries if entry.service == API}),
            _ONE_CLICK,
            *_template_table(entries),
        )
    )


def _main_table(entries: list[Entry]) -> Iterator[str]:
    yield "| service | variable | set by | value | why |\n|---|---|---|---|---|\n"
    for name, why in INJECTED.items():
        service = "Valkey" if "PRIVATE" in name else API
        yield f"| {service} | `{name}` | injected | | {why} |\n"
    for entry in sorted(entries, key=lambda entry: entry.service):
        value = f"`{entry.value}`" if entry.value else ""
        yield f"| {entry.service} | `{entry.name}` | {entry.origin} | {value} | {entry.why} |\n"


def _optional_table(given: set[str]) -> Iterator[str]:
    yield "| variable | purpose |\n|---|---|\n"
    for variable in variables():
        if variable.name not in given | INJECTED.keys() and not variable.name.startswith(_ELSEWHERE):
            purpose = re.split(r"(?<=[.]) ", variable.purpose, maxsplit=1)[0].replace("|", "\\|")
            yield f"| `{variable.name}` | {purpose} |\n"


def _template_table(entries: list[Entry]) -> Iterator[str]:
    yield "| service | variable | value |\n|---|---|---|\n"
    for entry in sorted(entries, key=lambda entry: entry.service):
        if entry.template:
            value = "asked" if entry.template == "(asked)" else f"`{entry.template}`"
            yield f"| {entry.service} | `{entry.name}` | {value} |\n"
    for name, value in _TEMPLATE_VARIABLES.items():
        yield f"| {API} | `{name}` | `{value}` |\n"
