"""Mutations of the JSON text of header or payload, signed again: texts that two parsers could read differently."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from fuzz import values
from fuzz.building import Base, Case, json_bytes, pick, signed_by_issuer
from fuzz.world import NOW

type Edit = Callable[[Random, bytes], bytes]


def _a_member(rng: Random, text: bytes) -> tuple[str, object]:
    members: dict[str, object] = json.loads(text)
    return pick(rng, list(members.items()))


def _duplicate(rng: Random, text: bytes) -> bytes:
    name, value = _a_member(rng, text)
    written = json.dumps(name)
    if rng.random() < 0.4:
        spot = 1 + int(rng.random() * len(name))
        written = f'"{name[: spot - 1]}\\u{ord(name[spot - 1]):04x}{name[spot:]}"'
    other = f"{written}:{json.dumps(value if rng.random() < 0.3 else pick(rng, values.ODD))}".encode()
    return text[:-1] + b"," + other + b"}" if rng.random() < 0.5 else b"{" + other + b"," + text[1:]


def _duplicate_in_depth(rng: Random, text: bytes) -> bytes:
    return text[:-1] + pick(rng, (b',"x":{"a":1,"a":1}}', b',"x":[{"y":{"a":1,"a":2}}]}', b',"x":{"":0,"":0}}'))


def _number_form(rng: Random, text: bytes) -> bytes:
    number = str(NOW - 10).encode()
    forms = (b"1.79e9", b"1790000000.0", b"1790000000.", b"+1790000000", b"01790000000", b"0x6AB13B80", b"179E7", b"-0",
             b"1_790_000_000", b"1e400", b"-1e400", b"9" * 5000, b"1790000000e0", b"NaN", b"Infinity", b"-Infinity",
             b'"1790000000"', "\u0661".encode(), b"17900000001790000000", b"1.0000000000000001e9")  # fmt: skip
    return (
        text.replace(number, pick(rng, forms), 1) if number in text else text[:-1] + b',"x":' + pick(rng, forms) + b"}"
    )


def _around(rng: Random, text: bytes) -> bytes:
    extra = pick(
        rng, (b"\xef\xbb\xbf", b"\x00", b"x", b"{}", b",", b"[]", b"//", b"/**/", b"\x0b", b"\xc2\xa0", b"]", b"}")
    )
    return extra + text if rng.random() < 0.5 else text + extra


def _encoding(rng: Random, text: bytes) -> bytes:
    whole = text.decode()
    encoding = pick(rng, ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7"))
    if rng.random() < 0.5:
        return whole.encode(encoding)
    # Overlong, surrogate, beyond Unicode, Latin-1, cut off.
    bad = pick(rng, (b"\xc0\xa2", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe9", b"\xe2\x82", b"\xff", b"\xc1\xa1"))
    spot = int(rng.random() * len(text))
    return text[:spot] + bad + text[spot:]


def _nested(rng: Random, text: bytes) -> bytes:
    depth = pick(rng, (1, 3, 50, 400, 900))
    opening, closing = pick(rng, ((b"[", b"]"), (b'{"a":', b"}")))
    return text[:-1] + b',"x":' + opening * depth + b"1" + closing * (depth - (rng.random() < 0.1)) + b"}"


def _another_value(rng: Random, text: bytes) -> bytes:
    forms = (b"", b" ", b"null", b"[]", b'""', b"0", b"true", b"[" + text + b"]", json.dumps(text.decode()).encode(),
             text.replace(b'"', b"'"), text[:-1] + b",}", text.replace(b":", b"=", 1), text[:-1], text[1:])  # fmt: skip
    return pick(rng, forms)


def flip_bytes(rng: Random, text: bytes) -> bytes:
    """Change, insert, remove or repeat one to four bytes anywhere."""
    changed = bytearray(text)
    for _ in range(1 + int(rng.random() ** 3 * 4)):
        spot, draw = int(rng.random() * (len(changed) + 1)), rng.random()
        if draw < 0.5 and spot < len(changed):
            changed[spot] ^= 1 << int(rng.random() * 8)
        elif draw < 0.7:
            changed.insert(
                spot, int(rng.random() * 256) if rng.random() < 0.5 else ord(pick(rng, list('{}[]",:.-_eE0\\u ')))
            )
        elif draw < 0.9:
            del changed[spot : spot + 1 + int(rng.random() ** 4 * 12)]
        else:
            changed[spot:spot] = changed[spot : spot + 1 + int(rng.random() * 24)]
    return bytes(changed)


_EDITS: tuple[Edit, ...] = (
    _duplicate,
    _duplicate_in_depth,
    _number_form,
    _around,
    _encoding,
    _nested,
    _another_value,
    flip_bytes,
    flip_bytes,
)


def json_signed_again(rng: Random, base: Base) -> Case:
    header, payload = json_bytes(base.header), json_bytes(base.claims)
    edit = pick(rng, _EDITS)
    if rng.random() < 0.35:
        header = edit(rng, header)
    else:
        payload = edit(rng, payload)
    return signed_by_issuer(base, header, payload)


def _escaped(rng: Random, text: str) -> str:
    """Write some characters of a string as escapes, which mean the same (RFC 8259 §7)."""
    letters = [f"\\u{ord(char):04x}" if char.isalnum() and rng.random() < 0.1 else char for char in text]
    return "".join(letters)


def harmless_json(rng: Random, base: Base) -> Case:
    """Add whitespace between JSON tokens and escapes inside strings: the members stay the same."""
    parts = []
    for members in (base.header, base.claims):
        blank, indent = pick(rng, ("", " ", "\n", "\t", "\r\n", "  ")), pick(rng, (None, 1, 2))
        text = json.dumps(members, indent=indent, separators=(f"{blank},{blank}", f"{blank}:{blank}"))
        if rng.random() < 0.5:
            inside = text.split('"')
            # A string is between an odd and an even quotation mark; the strings here contain no quotation mark.
            inside[1::2] = [_escaped(rng, part) for part in inside[1::2]]
            text = '"'.join(inside)
        parts.append(f"{blank}{text}{blank}".encode())
    return signed_by_issuer(base, *parts, must_pass=True)
