"""Decide what a minted token holds: what the caller asks for, if the demo user may have it.

Nothing is left out silently: anything that the user may not have is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenantgate.openid_provider.models import SUPPORTED_SCOPES
from tenantgate.openid_provider.storage.personas import PERSONAS_FILE, Persona
from tenantgate_cli.console import Failure
from tenantgate_cli.paths import shown

_DURATION = re.compile(r"(-?)([0-9]{1,6})([smh]?)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_LONGEST_AGO = 24 * 3600
_LONGEST_SHOWN = 60
_DURATION_REMEDY = "write it as 90s, 5m or 1h, or as a number of seconds; -5m gives a token that expired 5 minutes ago"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of `tenantgate token`. Each of `scopes` may hold several, separated by spaces."""

    user: str | None = None
    tenant: str | None = None
    scopes: Sequence[str] = ()
    roles: Sequence[str] = ()
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The lifetimes of the stack's tokens, and the clock skew that it tolerates, in seconds; and a sign-in's scopes."""

    usual: int
    longest: int
    leeway: int
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The content of a token to mint. `expires_in` is in seconds, and negative for a token that has expired."""

    persona: Persona
    tenant_id: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    lifetime: int
    expires_in: int


def token_request(wanted: Wanted, personas: Sequence[Persona], limits: Limits) -> TokenRequest:
    """Complete the options with the user's own values. Raises Failure, which lists what the user may have."""
    persona = _persona(wanted.user, personas)
    expires_in = _expires_in(wanted.expires, limits)
    return TokenRequest(
        persona=persona,
        tenant_id=_tenant(wanted.tenant, persona, personas),
        scopes=_scopes(wanted.scopes, persona, personas) or _usual_scopes(persona, limits),
        roles=_roles(wanted.roles, persona, personas),
        lifetime=expires_in if expires_in > 0 else limits.usual,
        expires_in=expires_in,
    )


def _persona(name: str | None, personas: Sequence[Persona]) -> Persona:
    if name is None:
        return personas[0]
    wanted = name.strip().lower()
    for persona in personas:
        if wanted in (persona.email, persona.name.lower()):
            return persona
    known = ", ".join(f"{persona.email} ({persona.name})" for persona in personas)
    raise Failure(f"no demo user is called {_quoted(name)}", f"choose from {known}, or add one to {_file()}")


def _tenant(wanted: str | None, persona: Persona, personas: Sequence[Persona]) -> str:
    if wanted is None:
        return persona.tenant_id
    if wanted in persona.tenants.values():
        return wanted
    if wanted in persona.tenants:
        return persona.tenants[wanted]
    own = ", ".join(f"{name} ({tenant_id})" for name, tenant_id in persona.tenants.items())
    others = [other for other in personas if wanted in other.tenants or wanted in other.tenants.values()]
    raise Failure(
        f"{persona.name} doesn't belong to the tenant {_quoted(wanted)}",
        _remedy(own, others, f"add {_quoted(wanted)} to {persona.name}"),
    )


def _scopes(wanted: Sequence[str], persona: Persona, personas: Sequence[Persona]) -> tuple[str, ...]:
    names = _unique(name for text in wanted for name in text.split())
    own = (*SUPPORTED_SCOPES, *persona.scopes)
    if wanted and not names:
        raise Failure("--scope names no scope", f"choose from {', '.join(own)}")
    missing = [name for name in names if name not in own]
    if missing:
        others = [other for other in personas if {*SUPPORTED_SCOPES, *other.scopes}.issuperset(names)]
        raise _lacking(persona, "scope", missing, own, others)
    return names


def _usual_scopes(persona: Persona, limits: Limits) -> tuple[str, ...]:
    """Return the scopes that the user would get by signing in."""
    return tuple(name for name in limits.scopes if name in SUPPORTED_SCOPES or name in persona.scopes)


def _roles(wanted: Sequence[str], persona: Persona, personas: Sequence[Persona]) -> tuple[str, ...]:
    names = _unique(name.strip() for name in wanted)
    if "" in names:
        raise Failure("--role names no role", f"choose from {', '.join(persona.roles)}")
    missing = [name for name in names if name not in persona.roles]
    if missing:
        raise _lacking(persona, "role", missing, persona.roles, [o for o in personas if {*o.roles}.issuperset(names)])
    return names or persona.roles


def _lacking(
    persona: Persona, kind: str, missing: Sequence[str], own: Sequence[str], others: Sequence[Persona]
) -> Failure:
    named = " and ".join(_quoted(name) for name in missing)
    return Failure(
        f"{persona.name} doesn't have the {kind}{'s' if len(missing) > 1 else ''} {named}",
        _remedy(", ".join(own), others, f"add {named} to {persona.name}"),
    )


def _remedy(own: str, others: Sequence[Persona], addition: str) -> str:
    if others:
        return f"choose from {own}, or use {' or '.join(f'--user {other.email}' for other in others)}"
    return f"choose from {own}, or {addition} in {_file()}"


def _expires_in(text: str | None, limits: Limits) -> int:
    if text is None:
        return limits.usual
    found = _DURATION.match(text)
    if found is None:
        raise Failure(f"--expires {_quoted(text)} is not a duration", _DURATION_REMEDY)
    sign, number, unit = found.groups()
    seconds = int(number) * _SECONDS[unit]
    if seconds == 0:
        raise Failure(f"--expires {text} is not a lifetime", _DURATION_REMEDY)
    if sign:
        return -_ago(text, seconds, limits)
    if seconds > limits.longest:
        longest = f"{limits.longest // 60}m"
        raise Failure(
            f"--expires {text} is longer than the stack accepts: {longest}",
            f"choose at most --expires {longest}, or start the stack with a larger JWT_MAX_LIFETIME_MINUTES",
        )
    return seconds


def _ago(text: str, seconds: int, limits: Limits) -> int:
    remedy = f"choose from --expires -{limits.leeway + 1}s to --expires -{_LONGEST_AGO // 3600}h"
    if seconds <= limits.leeway:
        raise Failure(
            f"--expires {text}: the stack still accepts that token, because it tolerates a clock skew of "
            f"{limits.leeway} s (JWT_LEEWAY_SECONDS)",
            remedy,
        )
    if seconds > _LONGEST_AGO:
        raise Failure(f"--expires {text} is too long ago", remedy)
    return seconds


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _quoted(text: str) -> str:
    # repr escapes control characters, which must not reach the terminal.
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _file() -> str:
    return shown(PERSONAS_FILE)
