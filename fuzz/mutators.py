"""All mutators of tokens, weighted by their chance of a finding and their cost."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import NamedTuple

from fuzz import mutate_members, mutate_signatures, mutate_text
from fuzz.building import Base, Bases, Case, pick
from fuzz.mutate_json import harmless_json, json_signed_again

type Mutate = Callable[[Random, Base], Case]


class Mutator(NamedTuple):
    name: str
    weight: float
    mutate: Mutate
    signs: bool = False
    """True if it signs the base again, which is slow."""


_TEXT: tuple[Mutate, ...] = (mutate_text.base64_text, mutate_text.segments, mutate_text.characters)


class Mutation:
    """Draws mutations of new valid tokens. The same generator returns the same tokens, except for the salt of PSS."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._bases = Bases(rng)
        self.mutators = (
            Mutator("base64", 23, mutate_text.base64_text),
            Mutator("segments", 11, mutate_text.segments),
            Mutator("characters", 15, mutate_text.characters),
            Mutator("splice", 3, mutate_text.Splicer(self._bases)),
            Mutator("header, old signature", 15, mutate_members.header_under_the_old_signature),
            Mutator("claims, old signature", 4, mutate_members.claims_under_the_old_signature),
            Mutator("signature bytes", 6, mutate_signatures.signature_bytes),
            Mutator("no signature", 3, mutate_signatures.no_signature),
            Mutator("HMAC confusion", 5, mutate_signatures.hmac_confusion),
            Mutator("foreign key", 2, mutate_signatures.foreign_key, signs=True),
            Mutator("distrusted key", 2, mutate_signatures.distrusted_key, signs=True),
            Mutator("same kid", 2, mutate_signatures.same_kid, signs=True),
            Mutator("another algorithm", 2, mutate_signatures.another_algorithm, signs=True),
            Mutator("other bytes signed", 1, mutate_signatures.other_bytes_signed, signs=True),
            Mutator("header signed again", 3, mutate_members.header_signed_again, signs=True),
            Mutator("claims signed again", 4, mutate_members.claims_signed_again, signs=True),
            Mutator("both signed again", 1, mutate_members.both_signed_again, signs=True),
            Mutator("JSON signed again", 4, json_signed_again, signs=True),
            Mutator("harmless members", 0.7, mutate_members.harmless_members, signs=True),
            Mutator("harmless times", 0.7, mutate_members.harmless_times, signs=True),
            Mutator("harmless JSON", 0.7, harmless_json, signs=True),
        )
        self._weights = [*accumulate(mutator.weight for mutator in self.mutators)]

    def draw(self) -> tuple[Mutator, Base, Case]:
        """Return a mutator, its valid input token, and its output, which always differs from the input."""
        while True:
            drawn = self._draw()
            if drawn[2].token != drawn[1].token:
                return drawn

    def _draw(self) -> tuple[Mutator, Base, Case]:
        rng = self._rng
        mutator = self.mutators[bisect(self._weights, rng.random() * self._weights[-1])]
        base = self._bases.to_sign_again(rng) if mutator.signs else self._bases.any_of(rng)
        case = mutator.mutate(rng, base)
        if rng.random() < 0.05 and not case.must_pass and case.token.count(".") == 2:
            second = pick(rng, _TEXT)(rng, base._replace(token=case.token))
            case = Case(second.token, case.signed_input)
        return mutator, base, case
