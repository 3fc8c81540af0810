"""A provider's error text, prepared for the log."""

import time

import pytest

from tenantgate.login.provider.provider_text import provider_text

TRACE_ID = "Trace ID: 0d5f7f3e-5a2b-4c1d-9e8f-0a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("AADSTS65004: User declined to consent.", "AADSTS65004: User declined to consent.", id="plain"),
        pytest.param("Zugriff verweigert für Ännchen", "Zugriff verweigert für Ännchen", id="another-language"),
        pytest.param('no\r\n{"level":"ERROR"}', 'no {"level":"ERROR"}', id="line-break"),
        pytest.param("no\u2028next\u0085third", "no next third", id="other-line-breaks"),
        pytest.param("\x1b[31mred\x1b[0m\x00", "[31mred [0m", id="terminal-escape"),
        pytest.param("a\u202egnp.exe", "a gnp.exe", id="right-to-left-override"),
        pytest.param("a\u200bb\ufeff", "a b", id="zero-width"),
        pytest.param("\ud800x", "x", id="lone-surrogate"),
        pytest.param("  a \t b  ", "a b", id="white-space"),
        pytest.param("ä" * 300, "ä" * 300, id="longest"),
        pytest.param("ä" * 301, "ä" * 300 + "…", id="longer"),
        pytest.param("ä" * 1_000_000, "ä" * 300 + "…", id="enormous"),
        pytest.param("redirect_uri_mismatch", "redirect_uri_mismatch", id="a-code"),
        pytest.param(
            "grant: authorization_code.already_redeemed", "grant: authorization_code.already_redeemed", id="words"
        ),
        pytest.param(
            "Trace ID: 0d5f7f3e-5a2b-4c1d-9e8f-0a1b2c3d4e5f",
            "Trace ID: 0d5f7f3e-5a2b-4c1d-9e8f-0a1b2c3d4e5f",
            id="uuid",
        ),
        pytest.param("", None, id="empty"),
        pytest.param(" \n", None, id="blank"),
        pytest.param(None, None, id="absent"),
        pytest.param(7, None, id="number"),
        pytest.param(["no"], None, id="list"),
    ],
)
def test_becomes_one_readable_line(text: object, kept: str | None) -> None:
    assert provider_text(text) == kept


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("code 'abc123' was used", "abc123"),
        ("client secret s3cr3t! is wrong", "s3cr3t!"),
        ("Basic dGVuYW50Z2F0ZTpzM2NyM3QxMjM0NTY3ODkw failed", "dGVuYW50Z2F0ZTpzM2NyM3QxMjM0NTY3ODkw"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJhbGciOiJSUzI1NiJ9"),
        ("key 0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("ä" * 290 + " 0123456789abcdef0123456789abcdef", "0123456789"),
        ("failed" + " " * 1190 + "s3cr3t!", "s3cr"),
    ],
)
def test_masks_secrets(text: str, secret: str) -> None:
    said = provider_text(text, secrets=("abc123", "s3cr3t!", ""))
    assert said is not None
    assert secret not in said


@pytest.mark.timed
def test_takes_linear_time() -> None:
    began = time.perf_counter()
    for text in ("a" * 10**6, "a." * 10**5, "a-" * 10**5, "-" * 10**6, "%3F" * 10**5, "a b " * 10**5):
        assert len(provider_text(text) or "") <= 301
    assert time.perf_counter() - began < 1
