"""What is fuzzed under coverage: each target takes bytes, and raises only when the product did what it must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

type Try = Callable[[bytes], None]


class Target(NamedTuple):
    """`prepare` is called once and gives what takes the inputs; `words` are what the input's language is made of."""

    name: str
    prepare: Callable[[], Try]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()
    longest: int = 4096


def all_targets() -> dict[str, Target]:
    """By name. Imported here, so that the engine can have the product instrumented before."""
    from fuzz.targets import authorizer, compact, jwks, rules, settings, verifier  # noqa: PLC0415

    every = (compact.TARGET, verifier.TARGET, jwks.TARGET, authorizer.TARGET, rules.TARGET, settings.TARGET)
    return {target.name: target for target in every}
