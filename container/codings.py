"""Choose the coding of a response by `Accept-Encoding` (RFC 9110 §12.5.3), and compress with it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Mapping
from typing import Literal

from backports import zstd

type Coding = Literal["gzip", "zstd"]

# The better one first: it is used if the client prefers neither.
_CODINGS: tuple[Coding, ...] = ("zstd", "gzip")
_ALIASES = {"x-gzip": "gzip"}
_MEMBER = re.compile(
    r"""[ \t]*([!#$%&'*+.^`|~0-9a-z_-]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*""", re.ASCII
)
_GZIP_LEVEL = 6
# Above this, its time grows faster than its size shrinks. Its window stays below the 8 MB of RFC 9659.
_ZSTD_LEVEL = 9


def chosen_coding(accept_encoding: Iterable[str]) -> Coding | None:
    """Return the coding that these header lines prefer, None to send the response unchanged.

    A member that isn't of the header's form is ignored. Of a coding that is named twice, the lower weight counts.
    A client that refuses everything, `identity` too, gets the response unchanged.
    """
    weights = _weights(accept_encoding)
    others = weights.get("*", 0.0)
    accepted = {coding: weights.get(coding, others) for coding in _CODINGS}
    best = max(_CODINGS, key=lambda coding: accepted[coding])
    # Unnamed, `identity` is acceptable, and preferred to nothing.
    if accepted[best] == 0 or accepted[best] < weights.get("identity", 0.0):
        return None
    return best


def _weights(lines: Iterable[str]) -> Mapping[str, float]:
    weights: dict[str, float] = {}
    for line in lines:
        for member in line.lower().split(","):
            if (found := _MEMBER.fullmatch(member)) is None:
                continue
            name = _ALIASES.get(found[1], found[1])
            weights[name] = min(weights.get(name, 1.0), float(found[2] or 1))
    return weights


def compressed(body: bytes, coding: Coding) -> bytes:
    """Compress a whole body. The same body gives the same bytes."""
    if coding == "zstd":
        return zstd.compress(body, _ZSTD_LEVEL)
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)
