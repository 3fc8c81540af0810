"""Read the members of a template's Lambda authorizers that both kinds of API have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lambda_gateway.authorizers.identity import readable
from lambda_gateway.model import MAX_TTL, FunctionSpec, TemplateError
from lambda_gateway.template.intrinsics import function_name
from lambda_gateway.template.values import mapping, number, strings


@dataclass(frozen=True, slots=True)
class AuthorizerEntry:
    """One entry of `Auth.Authorizers`. Every method raises TemplateError."""

    name: str
    function: str
    given: Mapping[str, object]
    where: str

    @property
    def identity(self) -> dict[str, object]:
        return mapping(self.given.get("Identity"), f"{self.where}.Identity")

    def identity_sources(self, kinds: Mapping[str, str]) -> tuple[str, ...]:
        """Return the mapping expressions in SAM's order. `kinds` has the prefix of each kind of source."""
        identity = self.identity
        sources = tuple(f"{prefix}{name}" for kind, prefix in kinds.items() for name in strings(identity.get(kind)))
        for source in sources:
            if not readable(source):
                raise TemplateError(f"{self.where}.Identity: {source}: requests have no such value")
        return sources

    def ttl(self, default: int, sources: tuple[str, ...]) -> int:
        """Return the seconds for which results are cached."""
        place = f"{self.where}.Identity.ReauthorizeEvery"
        ttl = int(number(self.identity.get("ReauthorizeEvery", default), place))
        if not 0 <= ttl <= MAX_TTL:
            raise TemplateError(f"{place}: must be 0 to {MAX_TTL} seconds")
        if ttl and not sources:
            raise TemplateError(f"{self.where}.Identity: a cached result needs an identity source (ReauthorizeEvery 0)")
        return ttl


def authorizer_entries(auth: Mapping[str, object], where: str) -> Iterator[tuple[str, Mapping[str, object], str]]:
    """Yield the name, the properties and the place of every entry of `Auth.Authorizers`. Raises TemplateError."""
    for name, value in mapping(auth.get("Authorizers"), f"{where}.Auth.Authorizers").items():
        place = f"{where}.Auth.Authorizers.{name}"
        yield name, mapping(value, place), place


def lambda_authorizer(
    name: str, given: Mapping[str, object], functions: Mapping[str, FunctionSpec], place: str
) -> AuthorizerEntry:
    """Return the entry of a Lambda authorizer. Raises TemplateError for any other one."""
    if "FunctionArn" not in given:
        raise TemplateError(f"{place}: only Lambda authorizers (FunctionArn) are emulated here")
    function = function_name(given["FunctionArn"])
    if function not in functions:
        raise TemplateError(f"{place}.FunctionArn: {function} isn't a function of this template")
    return AuthorizerEntry(name, function, given, place)
