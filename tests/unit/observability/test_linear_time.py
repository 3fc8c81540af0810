"""Callers control the text of log lines: the time for a line is proportional to its length for any input."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from urllib.parse import quote_plus

import pytest

from tenantgate.observability import forms, names
from tenantgate.observability.carried import CarriedSecrets
from tenantgate.observability.escapes import layers
from tenantgate.observability.forms import form_spans
from tenantgate.observability.names import is_sensitive, sanitize_query
from tenantgate.observability.redaction import carry_secrets, redact, redact_context, redact_text
from tenantgate.observability.speakers import Speaker

pytestmark = pytest.mark.timed

# Repeated, each is the worst that is known for one pattern: what begins a match and never ends it.
PIECES = [
    "?", "?=", "?a=", "?a=&", "%3F", "%253F", "#", "&", "=", "a", "a.", "a:", "a=", "a,", "'a',", '"a":', "'", '"',
    "\\", '\\"', "\\u0061", "\\x61", "&amp;", "password=", "password:'", "password='\\", "cookie", "cookie:",
    "cookie: \n ", "cookie:\r\n\t", "authorization ", "bearer ", "Bearer  ", "basic\t", "eyJ", "eyJhbGciOi.",
    "eyJhbGciOi%2E", "x@",
    "x@y", "x@y.", "@", "://", "a://", "http://a:", "http://a:b/", "https://@", "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ", "-----END ", "AKIA", "AKIAIOSFODNN7EXAMPL", "0", "0-", "000-00-000", "0123456789ab", "0123456789ab.",
    "f", "A", "A1", "_", "-", "+", "/", " ", "\n", "\r\n", "é", "...", "…", "org-", "00000000-0000-4000-8000-",
]  # fmt: skip
FUNCTIONS: list[Callable[[str], object]] = [
    lambda text: list(form_spans(text)),
    lambda text: list(layers(text)),
    sanitize_query,
]


def seconds(run: Callable[[], object], *, tries: int = 3) -> float:
    """The least time of this process's own: another process on the machine makes no difference."""
    taken = []
    for _ in range(tries):
        started = time.process_time()
        run()
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_eight_times_as_long_takes_about_eight_times_as_long(piece: str) -> None:
    short, long = (piece * (length // len(piece) + 1) for length in (4_000, 32_000))
    for function in FUNCTIONS:
        once = seconds(partial(function, short))
        # A quadratic one takes 64 times as long: hundreds of milliseconds of them.
        assert seconds(partial(function, long)) < 24 * once + 0.005


@pytest.mark.parametrize("piece", PIECES)
def test_the_longest_text_takes_no_more_than_milliseconds(piece: str) -> None:
    text = "x" + piece * (200_000 // len(piece))
    assert seconds(lambda: redact_text(text)) < 0.03
    assert seconds(lambda: redact_text("x" + text[:4096])) < 0.03


@pytest.mark.parametrize("count", [4096])
def test_thousands_of_question_marks_in_a_path_take_no_time(count: int) -> None:
    for path in ("/" + "?" * count, "/" + "%3F" * count, "/" + "%253F" * count):
        assert seconds(partial(redact_context, {"path": path})) < 0.03


def test_every_pattern_is_among_those_that_are_tried() -> None:
    patterns = forms._patterns()
    # A new pattern needs a piece above that begins its match and doesn't end it.
    assert len(patterns.secrets) == 8
    assert len(vars(patterns)) == 9
    assert len(names._patterns()) == 3


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'["' + b'","'.join(b"aaaaaa%05d" % n for n in range(4500)) + b'"]', id="common-prefix"),
        pytest.param(b'["' + b'","'.join(b"a" * n for n in range(6, 350)) + b'"]', id="each-begins-the-next"),
        pytest.param(b" ".join(b"%06d" % n for n in range(9000)), id="thousands-of-words"),
        pytest.param(b"a" * 65536, id="one-letter"),
    ],
)
@pytest.mark.parametrize("text", ["a" * 4096, "aaaaaa..." * 500, "aaaaaa00001" * 400, "YWFhYWFh" * 500])
def test_many_carried_values_take_no_more_than_milliseconds(body: bytes, text: str) -> None:
    carried = CarriedSecrets([], b"&".join(b"a=" + quote_plus(text[n : n + 7]).encode() for n in range(50)))
    carried.add_body(body)
    carry_secrets(carried)
    try:
        redact_text("the values are worked out once")
        assert seconds(lambda: redact_text(text)) < 0.15
        assert seconds(lambda: redact_text(text[:150])) < 0.02
    finally:
        carry_secrets(None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(b"authorization", b"Bearer " + b"." * 65_000, id="dots-of-a-token"),
        pytest.param(b"cookie", b"; " * 32_000, id="empty-cookies"),
        pytest.param(b"referer", b"?" * 65_000, id="question-marks-of-a-page"),
        pytest.param(b"referer", b"?" + b"a=b&" * 16_000, id="parameters-of-a-page"),
    ],
)
def test_a_header_of_thousands_of_equal_parts_takes_no_more_than_milliseconds(name: bytes, value: bytes) -> None:
    def read() -> None:
        carry_secrets(CarriedSecrets([(name, value)], b""))
        redact_text("the values are worked out once")

    try:
        assert seconds(read) < 0.02
    finally:
        carry_secrets(None)


@pytest.mark.parametrize("literal", ["GETTING", "a phrase of the code "])
def test_a_text_full_of_our_own_words_takes_no_more_than_milliseconds(literal: str) -> None:
    try:
        raise ValueError("GETTING", "a phrase of the code ")
    except ValueError as error:
        speaker = Speaker(error=error)
    # One in two matches is our own; the other lies across two words.
    halves = literal[-3:] + literal[:3]
    carry_secrets(CarriedSecrets([], f"a={quote_plus(literal[:6])}&a={quote_plus(halves)}".encode()))
    try:
        short, long = (literal * (length // len(literal)) for length in (600, 4_800))
        assert seconds(lambda: redact_text(long, speaker)) < 16 * seconds(lambda: redact_text(short, speaker)) + 0.002
    finally:
        carry_secrets(None)


def test_a_body_in_small_chunks_takes_no_longer() -> None:
    def gather() -> None:
        carried = CarriedSecrets([], b"")
        for _ in range(64 * 1024):
            carried.add_body(b"a")

    assert seconds(gather, tries=3) < 0.2


def test_a_deep_and_broad_value_is_bounded_in_time_and_size() -> None:
    value: object = "?a=" * 1400
    for _ in range(5):
        value = {f"name{number}?{'=' * 50}": value for number in range(50)}
    assert seconds(lambda: redact(value), tries=2) < 1
    assert len(str(redact(value))) < 100_000


def test_names_without_end_take_no_time() -> None:
    text = "&".join(f"a{number}b=" for number in range(1000))
    assert seconds(lambda: list(form_spans(text))) < 0.05
    assert seconds(lambda: is_sensitive("a-" * 30_000)) < 0.02
