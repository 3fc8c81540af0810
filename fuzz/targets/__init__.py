"""Coverage-guided fuzz targets: each takes bytes and raises only if the product violates a property."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

type Try = Callable[[bytes], None]


class Target(NamedTuple):
    """A target. `prepare` is called once and returns the function to fuzz; `words` is the dictionary of its inputs."""

    name: str
    prepare: Callable[[], Try]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()
    longest: int = 4096


def all_targets() -> dict[str, Target]:
    """Return the targets by name; imported here, so that the engine can instrument the product first."""
    from fuzz.targets import authorizer, compact, cookies, jwks, revocations, rules, settings, valkey, verifier  # noqa: PLC0415

    every = (
        *(compact.TARGET, verifier.TARGET, jwks.TARGET, authorizer.TARGET, cookies.TARGET, valkey.TARGET),
        *(revocations.TARGET, rules.TARGET, settings.TARGET),
    )
    return {target.name: target for target in every}
