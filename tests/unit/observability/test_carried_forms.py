"""Secrets of a request are masked in every form in which a log line may contain them."""

from __future__ import annotations

import base64
import html
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest

from tenantgate.context import RequestContext, begin_request
from tenantgate.observability.logging import configure_logging, describe_exception
from tenantgate.observability.redaction import MASK, CarriedSecrets, carry_secrets, redact, redact_text
from tests.fixtures.web.setup import log_lines

SECRET = 'pa$$ "wörd" \\ 1/2?&+x'
PLAIN = "canary-0123_456"


@contextmanager
def carrying(*values: str, headers: dict[str, str] | None = None) -> Iterator[None]:
    sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    carry_secrets(CarriedSecrets(sent, "&".join(f"a={quote_plus(value)}" for value in values).encode()))
    try:
        yield
    finally:
        carry_secrets(None)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as-it-is": str,
    "url": lambda value: quote(value, safe=""),
    "url-but-for-slashes": quote,
    "form": quote_plus,
    "url-twice": lambda value: quote(quote(value, safe=""), safe=""),
    "url-in-lower-case": lambda value: quote(value, safe="").replace("%2F", "%2f").replace("%3F", "%3f"),
    "url-each-character": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "json": lambda value: json.dumps(value)[1:-1],
    "json-not-ascii": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "json-twice": lambda value: json.dumps(json.dumps(value))[1:-1],
    "json-then-url": lambda value: quote(json.dumps(value)),
    "json-each-character": lambda value: "".join(f"\\u{ord(letter):04x}" for letter in value),
    "repr": lambda value: repr(value)[1:-1],
    "repr-of-bytes": lambda value: repr(value.encode())[2:-1],
    "html": html.escape,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64url": lambda value: base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode(),
    "base64-then-url": lambda value: quote(base64.b64encode(value.encode()), safe=""),
}


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("secret", [SECRET, PLAIN])
def test_a_carried_secret_is_masked_in_every_encoding(encoding: Callable[[str], str], secret: str) -> None:
    with carrying(secret):
        for text in (encoding(secret), f"before {encoding(secret)} after", f"a={encoding(secret)};"):
            masked = redact_text(text)
            assert encoding(secret) not in masked
            assert MASK in masked
            # The remaining part is shorter than the search looks for.
            own = encoding(secret).replace("%3D", "")
            assert not any(own[at : at + 6] in masked for at in range(len(own) - 5))


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_what_surrounds_a_carried_secret_stays(encoding: Callable[[str], str]) -> None:
    with carrying(PLAIN):
        masked = redact_text(f"GET /orders/17 of {encoding(PLAIN)} failed")
    assert masked.startswith("GET /orders/17 of ")
    assert masked.endswith(" failed")


@pytest.mark.parametrize("before", ["", "j", "ja", "jane:"])
@pytest.mark.parametrize("secret", [SECRET, PLAIN])
def test_a_carried_secret_is_masked_within_what_is_base64(before: str, secret: str) -> None:
    whole = f"{before}{secret}, and more"
    with carrying(secret):
        for encoded in (base64.b64encode(whole.encode()).decode(), base64.urlsafe_b64encode(whole.encode()).decode()):
            masked = redact_text(f"sent {encoded} to it")
            left = "".join(masked.removeprefix("sent ").removesuffix(" to it").partition(MASK)[::2])
            assert MASK in masked
            assert len(left) <= len(encoded) - len(secret) * 4 // 3 + 1


def test_a_secret_across_the_cut_is_masked_before_it_is_cut() -> None:
    with carrying(PLAIN):
        for shown in range(1, len(PLAIN) + 2):
            masked = redact_text("." * (4096 - shown) + PLAIN + " and more" * 500)
            assert not any(PLAIN[:length] in masked for length in range(3, len(PLAIN) + 1))
            assert len(masked) <= 4100


def test_a_token_across_the_cut_is_masked_before_it_is_cut() -> None:
    for shown in range(1, 60):
        masked = redact_text("." * (4096 - shown) + "Bearer " + "Zm9v" * 12)
        assert "Zm9" not in masked


def test_a_secret_that_other_code_truncated_is_masked() -> None:
    long = "".join(f"{number:03}-" for number in range(100))
    with carrying(PLAIN, long):
        assert redact_text(f"no such user: {PLAIN[:9]}... (cut)") == f"no such user: {MASK}... (cut)"
        masked = redact_text(f"body {long[:150]}…")
    assert masked == f"body {MASK}…"


def test_a_long_secret_is_masked_whole() -> None:
    long = "word and number 17, " * 3000
    with carrying(long):
        assert redact_text(f"before {long[:4000]}").startswith(f"before {MASK}")
        assert "number" not in redact_text(long)


def test_of_two_secrets_that_overlap_nothing_stays() -> None:
    with carrying("abcdef", "cdefghij", "abcdef123456"):
        assert redact_text("x abcdefghij y abcdef123456 z") == f"x {MASK} y {MASK} z"


@pytest.mark.parametrize("length", [6, 7, 31, 32, 33, 63, 64, 65])
def test_a_secret_of_any_length_is_masked_in_a_text_of_its_own_length(length: int) -> None:
    secret = "".join(chr(ord("A") + number % 26) + str(number % 10) for number in range(length))[:length]
    with carrying(secret, "a value that is longer than a piece, by far"):
        for text in (secret, f"-{secret}", f"{secret}-", base64.b64encode(secret.encode()).decode()):
            assert secret[:6] not in redact_text(text)
            assert MASK in redact_text(text)


def test_an_authorization_scheme_is_not_a_secret() -> None:
    with carrying(headers={"authorization": "Bearer s3cr3t-token", "proxy-authorization": "Negotiate s3cr3t-other"}):
        assert redact_text("expected Bearer, not Negotiate") == "expected Bearer, not Negotiate"
        assert redact_text("got s3cr3t-token and s3cr3t-other") == f"got {MASK} and {MASK}"


def test_short_values_stay() -> None:
    with carrying("cat", "12345"):
        assert redact_text("cat 12345") == "cat 12345"


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        pytest.param("Proxy-Authorization", f"Basic {base64.b64encode(b'jane:s3cr3t-word').decode()}", "s3cr3t-word"),
        pytest.param("authorization", "Digest username=jane, response=0a1b2c3d4e5f", "0a1b2c3d4e5f"),
        pytest.param("authorization", "AWS4-HMAC-SHA256 Credential=x, Signature=fe5f80f77d5fa3be", "fe5f80f77d5fa3be"),
        pytest.param("authorization", "pass phrase of four", "pass phrase of four"),
        pytest.param("cookie", "a=b; theirs=%22quoted%20value%22", "quoted value"),
        pytest.param("sec-websocket-protocol", "graphql-ws, bearer, s3cr3t-token", "s3cr3t-token"),
        pytest.param("referer", "https://app.example.test/cb?ticket=s3cr3t-word#x", "s3cr3t-word"),
        pytest.param("referer", "https://app.example.test/#state=s3cr3t-word", "s3cr3t-word"),
    ],
)
def test_a_headers_secret_is_masked(name: str, value: str, secret: str) -> None:
    with carrying(headers={name: value}):
        assert secret not in redact_text(f"got {secret} here")
        assert secret not in redact_text(f"{name}: {value}")


def test_a_tenant_id_in_front_of_a_session_stays_readable() -> None:
    tenant, secret = "org-00000000-0000-4000-8000-000000000007", "Zx9_-Zx9_-Zx9_"
    with carrying(headers={"cookie": f"__Host-tg_session={tenant}.{secret}"}):
        assert redact_text(f"tenant {tenant}, session {secret}") == f"tenant {tenant}, session {MASK}"


@dataclass
class Holder:
    name: str
    note: bytes


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({PLAIN: 1}, id="a-dictionarys-key"),
        pytest.param({"x": {PLAIN: {PLAIN: [PLAIN]}}}, id="deep"),
        pytest.param((PLAIN, [PLAIN], {PLAIN}), id="tuple-list-set"),
        pytest.param(frozenset({PLAIN}), id="frozen-set"),
        pytest.param(PLAIN.encode(), id="bytes"),
        pytest.param(bytearray(PLAIN.encode()), id="bytearray"),
        pytest.param(Holder(PLAIN, PLAIN.encode()), id="a-dataclass"),
        pytest.param(SimpleNamespace(x=PLAIN), id="a-namespace"),
        pytest.param(ValueError(PLAIN), id="an-exception"),
        pytest.param([(b"x-note", PLAIN.encode())], id="an-asgi-header"),
    ],
)
def test_a_carried_secret_is_masked_wherever_a_value_has_it(value: object) -> None:
    with carrying(PLAIN):
        copied = json.dumps(redact(value))
    assert PLAIN not in copied
    assert MASK in copied


@pytest.mark.parametrize("pair", [("password", "x1"), (b"cookie", b"x1"), ["a", ("client_secret", 77)]])
def test_a_pair_is_masked_by_its_name(pair: object) -> None:
    copied = json.dumps(redact([pair]))
    assert MASK in copied
    assert "x1" not in copied
    assert "77" not in copied


def test_notes_causes_contexts_and_groups_are_masked() -> None:
    def fail() -> None:
        try:
            try:
                raise KeyError(f"first {PLAIN}")
            except KeyError:
                raise ValueError(f"second {PLAIN}")  # noqa: B904
        except ValueError as error:
            error.add_note(f"noted {PLAIN}")
            raise ExceptionGroup(f"third {PLAIN}", [error, TypeError(PLAIN.encode())]) from error

    with carrying(PLAIN, "noted"):
        try:
            fail()
        except ExceptionGroup as error:
            told = json.dumps(describe_exception(error))
    assert PLAIN not in told
    for part in (f"first {MASK}", f"second {MASK}", f"noted {MASK}", f"third {MASK}"):
        assert part in told


def test_endless_causes_and_broad_groups_are_bounded() -> None:
    group: ExceptionGroup[Exception] = ExceptionGroup("x", [ValueError("y" * 9000)] * 3)
    for _ in range(8):
        group = ExceptionGroup("x" * 9000, [group] * 40)
    described = json.dumps(describe_exception(group))
    assert described.count('"kind"') <= 13
    assert len(described) < 80_000
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert json.dumps(describe_exception(first)).count('"kind"') <= 5


@pytest.mark.parametrize(
    "logger", ["uvicorn.error", "botocore.endpoint", "asyncpg", "httpx2", "py.warnings", "asyncio"]
)
def test_what_other_libraries_log_is_masked(logger: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="DEBUG", service="test")
    with carrying(PLAIN):
        log = logging.getLogger(logger)
        log.error("HTTP Request: %s %s", "GET", f"https://x.example/{quote(PLAIN)}")
        log.error("%r", {"headers": [(b"x", PLAIN.encode())]})
        log.error("sent " + json.dumps({"a": PLAIN}))  # noqa: G003
    out = capsys.readouterr().out
    assert len(log_lines(out)) == 3
    assert PLAIN not in out


def test_lines_of_an_authorizer_mask_its_event() -> None:
    event = {
        "type": "REQUEST",
        "headers": {"x-api-key": "key-0123456789"},
        "multiValueHeaders": {"Cookie": ["a=cookie-0123456789"]},
        "queryStringParameters": {"ticket": "ticket-0123456789", "scope": "openid"},
        "identitySource": ["identity-0123456789"],
        "requestContext": {
            "queryString": 'mutation { pay(card: "card-0123456789") }',
            "variables": {"pin": "pin-012345"},
        },
    }
    request = RequestContext("request-1")
    request.carried = event
    begin_request(request)
    said = "key-0123456789 cookie-0123456789 ticket-0123456789 identity-0123456789 card-0123456789 pin-012345 openid"
    assert redact_text(said) == f"{' '.join([MASK] * 6)} openid"
    begin_request(RequestContext("request-2"))
    assert redact_text(said) == said
