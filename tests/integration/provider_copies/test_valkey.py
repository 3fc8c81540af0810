"""Copies in a real Valkey: entries of other writers, and the order of writes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tenantgate.cache_counts import KEY_SETS
from tenantgate.cache_url import parse_cache_url
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.provider_copies.entry import LONGEST_ENTRY, Place, written
from tenantgate.provider_copies.store import DocumentCopies, ProviderCopies
from tenantgate.valkey_reader.reader import ValkeyReader
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.valkey import command, frozen

PLACE = Place(KEY_SETS, "https://idp.example", "https://idp.example/keys")
KEY = f"tenantgate:keys:{PLACE.digest()}"
DAY = 86_400
SEALER = Sealer([new_sealing_key()])


def copies_at(url: str) -> DocumentCopies:
    reader = ValkeyReader(parse_cache_url(url, protection="verify-full"), connect_seconds=0.25, reply_seconds=0.25)
    return ProviderCopies(lambda: reader, lambda: SEALER).of(PLACE, KEY, longest_age=DAY)


def number_in(copies: DocumentCopies) -> object:
    copy = copies.read()
    return None if copy is None else copy.document["number"]


@pytest.fixture
def copies(redis_url: str) -> DocumentCopies:
    return copies_at(redis_url)


def test_a_newer_copy_replaces_an_older_one_and_an_older_one_nothing(redis_url: str, copies: DocumentCopies) -> None:
    now = time.time()
    copies.write({"number": 1}, now - 600, seconds=5)
    assert number_in(copies) == 1
    assert DAY - 610 <= int(command(redis_url, "TTL", KEY)) <= DAY - 600
    copies.write({"number": 0}, now - 601, seconds=5)
    assert number_in(copies) == 1
    copies.write({"number": 2}, now - 599, seconds=5)
    assert number_in(copies) == 2
    # The same time: the first one stays.
    copies.write({"number": 3}, now - 599, seconds=5)
    assert number_in(copies) == 2


def test_a_replayed_older_entry_is_replaced_by_the_next_fetch(redis_url: str, copies: DocumentCopies) -> None:
    now = time.time()
    copies.write({"number": 1}, now - 600, seconds=5)
    older = command(redis_url, "GET", KEY)
    copies.write({"number": 2}, now - 60, seconds=5)
    command(redis_url, "SET", KEY, older)
    copy = copies.read()
    # It is genuine, and its age is that of its fetch.
    assert copy is not None
    assert copy.fetched_at == pytest.approx(now - 600, abs=0.002)
    copies.write({"number": 3}, now, seconds=5)
    assert number_in(copies) == 3


def forged(number: float) -> Callable[[], bytes]:
    return lambda: b"%013d" % (number * 1000) + b"x" * 100


LEFT_BEHIND: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no time": lambda: b"x" * 200,
    "blanks": lambda: b" " * 200,
    "not a number": lambda: b"nan" + b" " * 100,
    "infinite": lambda: b"inf" + b" " * 100,
    "minus": lambda: b"-" + b"9" * 100,
    "long": lambda: b"9" * (LONGEST_ENTRY + 1),
    "a time in the past": forged(time.time() - 100),
    "a time in the future": forged(time.time() + 100_000),
    "a later copy by other keys": lambda: (
        written(PLACE, {"number": 0}, time.time() - 1, Sealer([new_sealing_key()])) or b""
    ),
}


@pytest.mark.parametrize("entry", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_any_entry_of_a_foreign_writer_is_refused_and_replaced(
    redis_url: str, copies: DocumentCopies, entry: Callable[[], bytes]
) -> None:
    command(redis_url, "SET", KEY, entry())
    assert copies.read() is None
    copies.write({"number": 1}, time.time(), seconds=5)
    assert number_in(copies) == 1
    assert int(command(redis_url, "TTL", KEY)) > 0


def test_a_key_of_another_type_is_replaced(redis_url: str, copies: DocumentCopies) -> None:
    command(redis_url, "LPUSH", KEY, "x")
    assert copies.read() is None
    copies.write({"number": 1}, time.time(), seconds=5)
    assert number_in(copies) == 1


def test_the_longest_document_fits(copies: DocumentCopies) -> None:
    copies.write({"number": 1, "x": "a" * 262_000}, time.time(), seconds=5)
    assert number_in(copies) == 1


def test_a_frozen_server_costs_one_wait(own_valkey: Callable[..., EmbeddedValkey]) -> None:
    server = own_valkey()
    copies = copies_at(server.start())
    copies.write({"number": 1}, time.time(), seconds=5)
    with frozen(server):
        began = time.monotonic()
        assert copies.read() is None
        waited = time.monotonic() - began
        assert waited > 0.2
        for _ in range(100):
            assert copies.read() is None
            copies.write({"number": 2}, time.time(), seconds=5)
        assert time.monotonic() - began < waited + 0.2
