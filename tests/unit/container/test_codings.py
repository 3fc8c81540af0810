"""`Accept-Encoding` as RFC 9110 §12.5.3 defines it."""

import gzip

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from container.codings import chosen_coding, compressed


@pytest.mark.parametrize(
    ("lines", "coding"),
    [
        ([], None),
        ([""], None),
        (["gzip"], "gzip"),
        (["zstd"], "zstd"),
        (["gzip, deflate, br, zstd"], "zstd"),
        (["gzip", "zstd"], "zstd"),
        (["x-gzip"], "gzip"),
        (["GZIP ; Q=0.3"], "gzip"),
        (["gzip;q=1.0, zstd;q=0.999"], "gzip"),
        (["gzip;q=0.5\t,\tzstd;q=0.5"], "zstd"),
        (["*"], "zstd"),
        (["zstd;q=0, *;q=0.1"], "gzip"),
        (["br;q=1, *;q=0.2"], "zstd"),
        (["*;q=0"], None),
        (["*;q=0, gzip"], "gzip"),
        (["gzip;q=0"], None),
        (["gzip;q=0.000"], None),
        (["gzip;q=0.001"], "gzip"),
        (["identity"], None),
        (["identity;q=0, gzip;q=0"], None),
        (["identity;q=0.5, gzip"], "gzip"),
        (["identity;q=0.5, gzip;q=0.4"], None),
        (["identity, gzip"], "gzip"),
        (["gzip", "gzip;q=0"], None),
        (["br"], None),
        # Not of the header's form: ignored.
        (["gzip;q=2"], None),
        (["gzip;q=1.001"], None),
        (["gzip;q=0.1234"], None),
        (["gzip;q=-1"], None),
        (["gzip;q=nan"], None),
        (["gzip;q="], None),
        (["gzip;level=9"], None),
        (["gzip zstd"], None),
        (["gzip,,zstd"], "zstd"),
        (["gzip;q=٠"], None),
    ],
)
def test_the_clients_preference_decides(lines: list[str], coding: str | None) -> None:
    assert chosen_coding(lines) == coding


@given(st.lists(st.text(), max_size=3))
def test_any_text_is_read(lines: list[str]) -> None:
    assert chosen_coding(lines) in {None, "gzip", "zstd"}


@given(st.binary(max_size=5000))
def test_each_coding_gives_the_body_back_and_always_the_same_bytes(body: bytes) -> None:
    assert gzip.decompress(compressed(body, "gzip")) == body == zstd.decompress(compressed(body, "zstd"))
    assert compressed(body, "gzip") == compressed(body, "gzip")
