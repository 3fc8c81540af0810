"""The form of a shared copy: only an entry that a process of this deployment wrote for this document is used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from tenantgate.cache_counts import KEY_SETS, METADATA
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.provider_copies.entry import LONGEST_ENTRY, TIME_DIGITS, Place, RefusedEntry, read, written
from tenantgate.tokens.copies import Copy
from tests.fixtures.tokens.issuer import NOW, public_jwks

PLACE = Place(KEY_SETS, "https://idp.example", "https://idp.example/.well-known/openid-configuration")
KEY = new_sealing_key()
SEALER = Sealer([KEY])
DOCUMENT: Mapping[str, object] = {"keys": public_jwks()["keys"], "name": "Präfix \ud800", "number": 1.5, "none": None}
DAY = 86_400.0


def entry_of(
    place: Place = PLACE, document: Mapping[str, object] = DOCUMENT, at: float = NOW, sealer: Sealer = SEALER
) -> bytes:
    entry = written(place, document, at, sealer)
    assert entry is not None
    return entry


def read_at(entry: bytes, *, place: Place = PLACE, sealer: Sealer = SEALER, now: float = NOW) -> Copy:
    return read(place, entry, sealer, now=now, longest_age=DAY)


def test_a_copy_is_the_document_with_the_time_of_its_fetch() -> None:
    copy = read_at(entry_of(at=NOW - 1000.1239))
    assert copy.document == DOCUMENT
    # Rounded down: a copy is never younger than the document.
    assert copy.fetched_at == NOW - 1000.124


@pytest.mark.parametrize(
    "other",
    [
        PLACE._replace(use=METADATA),
        PLACE._replace(issuer="https://other.example"),
        PLACE._replace(url="https://idp.example/other"),
        Place(KEY_SETS, "https://idp.exampl", "ehttps://idp.example/.well-known/openid-configuration"),
    ],
    ids=["use", "issuer", "url", "shifted"],
)
def test_an_entry_of_another_document_is_refused(other: Place) -> None:
    with pytest.raises(RefusedEntry, match="no sealing key"):
        read_at(entry_of(other))
    assert other.digest() != PLACE.digest()


CHANGES: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "only a time": lambda entry: entry[:TIME_DIGITS],
    "no document": lambda entry: entry[: TIME_DIGITS + 32],
    "a later time": lambda entry: b"%013d" % (int(entry[:TIME_DIGITS]) + 1) + entry[TIME_DIGITS:],
    "another form of the time": lambda entry: b"+" + entry[1:],
    "no ASCII time": lambda entry: "٣".encode() + entry[2:],
    "another HMAC": lambda entry: entry[:TIME_DIGITS] + bytes(32) + entry[TIME_DIGITS + 32 :],
    "a changed document": lambda entry: entry.replace(b'"kid":"', b'"kid":"x', 1),
    "no ASCII document": lambda entry: entry + "ü".encode(),
    "a longer document": lambda entry: entry + b" ",
    "a cut document": lambda entry: entry[:-1],
    "only the document": lambda entry: entry[TIME_DIGITS + 32 :],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_entry_is_refused(change: Callable[[bytes], bytes]) -> None:
    changed = change(entry_of())
    assert changed != entry_of()
    with pytest.raises(RefusedEntry):
        read_at(changed)


def test_each_key_verifies_and_the_newest_signs() -> None:
    newer = new_sealing_key()
    rotated = Sealer([newer, KEY])
    assert read_at(entry_of(), sealer=rotated).document == DOCUMENT
    made = entry_of(sealer=rotated)
    assert read_at(made, sealer=Sealer([newer])).document == DOCUMENT
    with pytest.raises(RefusedEntry, match="no sealing key"):
        read_at(made, sealer=SEALER)


@pytest.mark.parametrize("seconds", [1.002, 60, 1e6])
def test_a_time_in_the_future_is_refused(seconds: float) -> None:
    with pytest.raises(RefusedEntry, match="future"):
        read_at(entry_of(at=NOW + seconds))


def test_clocks_may_differ_by_a_second() -> None:
    assert read_at(entry_of(at=NOW + 0.999)).fetched_at == NOW + 0.999


def test_an_entry_past_its_longest_age_is_refused() -> None:
    entry = entry_of()
    assert read_at(entry, now=NOW + DAY - 0.001).document == DOCUMENT
    with pytest.raises(RefusedEntry, match="too old"):
        read_at(entry, now=NOW + DAY)


def test_a_document_that_is_too_long_is_not_written() -> None:
    room = LONGEST_ENTRY - TIME_DIGITS - 32 - len('{"x":""}')
    assert written(PLACE, {"x": "a" * room}, NOW, SEALER) is not None
    assert written(PLACE, {"x": "a" * (room + 1)}, NOW, SEALER) is None


@pytest.mark.parametrize("body", ["[]", "1", "{", '{"a":1,"a":2}'])
def test_a_signed_text_that_is_not_one_object_is_refused(body: str) -> None:
    # Only a fault of the writer could sign it.
    time = f"{int(NOW * 1000):013}"
    mac = SEALER.digest(json.dumps([*PLACE, time, body]), purpose="provider-copy")
    with pytest.raises(RefusedEntry, match="JSON object"):
        read_at(time.encode() + mac + body.encode())


def test_a_digest_for_another_purpose_signs_nothing() -> None:
    entry = entry_of()
    text = json.dumps([*PLACE, entry[:TIME_DIGITS].decode(), entry[TIME_DIGITS + 32 :].decode()])
    for purpose in ("session-lookup", "session-tokens", ""):
        mac = SEALER.digest(text, purpose=purpose)
        with pytest.raises(RefusedEntry, match="no sealing key"):
            read_at(entry[:TIME_DIGITS] + mac + entry[TIME_DIGITS + 32 :])
    assert SEALER.digest(text, purpose="provider-copy") == entry[TIME_DIGITS : TIME_DIGITS + 32]
