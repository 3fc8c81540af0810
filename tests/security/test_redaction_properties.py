"""Redaction of any request: no log line has its secrets in any encoding, and the line's own members stay readable."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantgate.authorizer.service import Authorizer
from tenantgate.context import RequestContext, begin_request
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.observability.logging import JsonFormatter, configure_logging
from tenantgate.observability.redaction import MASK, CarriedSecrets, carry_secrets
from tenantgate.tokens.wiring import token_verifier
from tenantgate.web.lambda_adapter import lambda_handler_for
from tests.fixtures.authorizer.guarded import rules
from tests.fixtures.web.setup import LOG_MEMBERS, Issuer, api_event, lambda_context, log_lines

type Encode = Callable[[str], str]

ENCODINGS: list[Encode] = [
    str,
    lambda value: quote(value, safe=""),
    quote_plus,
    lambda value: quote(quote(value, safe=""), safe=""),
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: json.dumps(json.dumps(value))[3:-3],
    lambda value: repr(value)[1:-1],
    lambda value: base64.b64encode(value.encode()).decode(),
    lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
]
# No leading or trailing blanks, which a server removes, and no text that is part of our own words or of the mask.
SECRETS = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=6, max_size=60)
    .filter(lambda text: text == text.strip(" \"'") and len(set(text)) > 3)
    .map(lambda text: f"§{text}")
)
FORMATTER = JsonFormatter(service="service-name")


@contextmanager
def carrying(carried: CarriedSecrets) -> Iterator[None]:
    carry_secrets(carried)
    try:
        yield
    finally:
        carry_secrets(None)


def line(message: str, *arguments: object, **context: object) -> dict[str, Any]:
    record = logging.LogRecord("tenantgate.x", logging.INFO, __file__, 1, message, arguments, None, func="nowhere")
    record.context = context
    read: dict[str, Any] = json.loads(FORMATTER.format(record))
    return read


def carried_as(secret: str, place: str) -> CarriedSecrets:
    query, headers = b"", []
    if place == "query":
        query = f"x=1&a={quote_plus(secret)}".encode()
    elif place == "query-twice":
        query = f"a={quote(quote(secret, safe=''), safe='')}".encode()
    elif place == "header":
        headers = [(b"x-api-key", secret.encode())]
    carried = CarriedSecrets(headers, query)
    if place == "json":
        carried.add_body(json.dumps({"a": [{"b": secret}]}).encode())
    elif place == "form":
        carried.add_body(f"a={quote_plus(secret)}&b=1".encode())
    elif place == "text":
        carried.add_body(secret.encode())
    return carried


@settings(max_examples=600, deadline=None)
@given(
    secret=SECRETS,
    place=st.sampled_from(["query", "query-twice", "header", "json", "form", "text"]),
    encode=st.sampled_from(ENCODINGS),
    before=st.text(st.characters(codec="ascii"), max_size=20),
)
def test_a_carried_secret_is_in_no_line(secret: str, place: str, encode: Encode, before: str) -> None:
    written = encode(secret)
    with carrying(carried_as(secret, place)):
        read = line(
            "template %s and %r",
            f"{before}{written}",
            [written],
            text=f"{before} {written} after",
            items=[{written: 1}],
        )
    texts = [read["message"], read["context"]["text"], json.dumps(read["context"]["items"], ensure_ascii=False)]
    for text in texts:
        assert written not in text
        assert secret not in text
        assert MASK in text


@settings(max_examples=300, deadline=None)
@given(
    query=st.binary(max_size=200),
    headers=st.lists(st.tuples(st.sampled_from([b"authorization", b"cookie", b"x-api-key"]), st.binary(max_size=80))),
    body=st.binary(max_size=200),
    own=st.sampled_from(["2026-", "tenantgate", "INFO", "service-name", "request-12345", "user-12345", "tenant-12345"]),
)
def test_a_lines_own_members_survive_any_request(
    query: bytes, headers: list[tuple[bytes, bytes]], body: bytes, own: str
) -> None:
    carried = CarriedSecrets([*headers, (b"cookie", b"a=" + own.encode())], query + b"&a=" + own.encode())
    carried.add_body(body)
    begin_request(RequestContext("request-12345", user_id="user-12345", tenant_id="tenant-12345"))
    try:
        with carrying(carried):
            read = line("x", status=204204, duration_ms=12345.678, text=query.decode("latin-1"))
    finally:
        begin_request(RequestContext())
    assert read.keys() >= LOG_MEMBERS
    made = {name: read[name] for name in LOG_MEMBERS - {"timestamp", "context"}}
    assert made == {
        "level": "INFO",
        "logger": "tenantgate.x",
        "message": "x",
        "service": "service-name",
        "request_id": "request-12345",
        "user_id": "user-12345",
        "tenant_id": "tenant-12345",
    }
    assert MASK not in read["timestamp"]
    assert (read["context"]["status"], read["context"]["duration_ms"]) == (204204, 12345.678)


# Members that differ in each request, the query, and expected and actual values such as times.
VARYING = {"timestamp", "request_id", "duration_ms", "query", "cold_start", "private", "expected", "actual"} | {
    "event_id",
    "occurred_at",
}


def stable(value: object) -> object:
    if isinstance(value, dict):
        return {name: stable(item) for name, item in value.items() if name not in VARYING}
    return [stable(item) for item in value] if isinstance(value, list) else value


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def repeated(lines: list[dict[str, Any]]) -> str:
    """Return a query with every string of these lines."""
    said = sorted({text for item in lines for text in texts(item)})
    return "&".join(f"a{number}={quote_plus(text)}" for number, text in enumerate(said))


@pytest.fixture
def _logging() -> None:
    configure_logging(level="DEBUG", service="tenantgate")


@pytest.mark.parametrize(
    ("function", "route"),
    [
        ("auth_validate", "GET /api/v1/auth/validate"),
        ("auth_validate", "OPTIONS /api/v1/auth/validate"),
        ("auth_validate", "DELETE /api/v1/auth/validate"),
        ("auth_me", "GET /api/v1/auth/me"),
        ("health", "GET /api/v1/health/live"),
    ],
)
@pytest.mark.parametrize("token", ["none", "broken", "expired", "good"])
@pytest.mark.usefixtures("_logging")
def test_a_caller_that_repeats_the_lines_of_its_request_changes_none_of_them(
    function: str, route: str, token: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer = Issuer.in_folder(tmp_path)
    tokens = {"none": "", "broken": "a.b.c", "expired": issuer.token(exp=1_700_000_000, iat=1_699_999_000)}
    tokens["good"] = issuer.token()
    headers = {"authorization": f"Bearer {tokens[token]}"} if tokens[token] else {}
    handler = lambda_handler_for(f"functions.{function}", settings=issuer.settings())
    method, path = route.split(" ")

    def lines(query: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        handler(api_event(method, path, headers=headers, query=query), lambda_context())
        return log_lines(capsys.readouterr().out)

    lines("")  # reads the keys and logs the warnings that are logged once
    before = lines("")
    after = lines(repeated(before))
    assert stable(after) == stable(before)
    assert any(item["message"] == "request completed" for item in after)


@pytest.mark.usefixtures("_logging")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_caller_that_repeats_an_authorizers_lines_changes_none_of_them(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer = Issuer.in_folder(tmp_path)
    policy = issuer.settings().token_policy
    authorizer = Authorizer(Credentials(BearerCredential(token_verifier(policy), policy)), rules())
    headers = {"authorization": f"Bearer {issuer.token(aud='another-api')}"}

    def lines(query: str) -> list[dict[str, Any]]:
        event = api_event(method, "/o/1", headers=headers, query=query)
        pairs = [pair.partition("=") for pair in query.split("&")]
        event["queryStringParameters"] = {name: httpx2.QueryParams(f"a={value}")["a"] for name, _, value in pairs}
        arn = f"arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/live/{method}/o/1"
        capsys.readouterr()
        with pytest.raises(Exception, match="Unauthorized"):
            authorizer.decide({**event, "type": "REQUEST", "routeArn": arn})
        return log_lines(capsys.readouterr().out)

    lines("")
    before = lines("")
    after = lines(repeated(before))
    assert stable(after) == stable(before)
    assert after[0]["context"]["reason"] == "wrong_audience"
