"""The secret values of a request: of its headers, cookies, query and body, or of an authorizer's event."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Callable, Iterable, Iterator, Mapping

from tenantgate.observability.escapes import unescaped
from tenantgate.observability.names import is_harmless, is_parameter_name, is_sensitive

# A shorter value would mask ordinary words everywhere.
SHORTEST = 6
_DEEPEST = 6
# The parts of a longer credential find the whole.
_WHOLE = 32
# Words of the protocol, not of the credential (RFC 9110 §11.1).
_SCHEMES = frozenset({"basic", "bearer", "digest", "dpop", "negotiate"})


def carried_values(
    headers: Iterable[tuple[bytes, bytes]], query: bytes, body: bytes, event: Mapping[str, object] | None
) -> set[str]:
    """Return the values that no log line may contain, as sent and decoded."""
    found: set[str] = set()
    for name, value in headers:
        found.update(_of_header(name.decode("latin-1"), _texts(value)))
    for text in _texts(query):
        found.update(_pairs(text))
    if body:
        found.update(_body_values(body))
    if event is not None:
        _add_event(event, found)
    return found


def _texts(value: bytes) -> set[str]:
    if value.isascii():
        return {value.decode("ascii")}
    return {value.decode("latin-1"), value.decode("utf-8", "replace")}


def _of_header(name: str, values: Iterable[str]) -> Iterator[str]:
    for value in values:
        if is_sensitive(name):
            yield from _credential_parts(name, value)
        elif name.lower() == "referer":
            # The page that sent the caller here may have had credentials in its address.
            for part in set(re.split(r"[?#]", value)[1:]):
                yield from _pairs(part)


def _credential_parts(name: str, value: str) -> Iterator[str]:
    yield from _cookie_parts(value) if "cookie" in name.lower() else _authorization_parts(value)


def _cookie_parts(value: str) -> Iterator[str]:
    for pair in set(value.split(";")):
        cookie = pair.partition("=")[2].strip()
        parts = cookie.split(".")
        if len(parts) > 1 and _is_tenant_id(parts[0]):
            # `<tenant id>.<secret>`: log lines need the tenant's id.
            parts = parts[1:]
        else:
            yield from unescaped(cookie)
        yield from set(parts)


def _authorization_parts(value: str) -> Iterator[str]:
    words = value.replace(",", " ").replace(";", " ").replace("=", " ").replace('"', " ").split()
    if not words:
        return
    if len(value) <= _WHOLE or min(map(len, words)) < SHORTEST:
        yield value
    # Each text once: a credential of 64 KB may be 65,000 dots.
    for word in set(words):
        if word.lower() in _SCHEMES:
            continue
        parts = set(word.split("."))
        if len(word) <= _WHOLE or min(map(len, parts)) < SHORTEST:
            yield word
        yield from parts
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() == "basic":
        try:
            decoded = a2b_base64(credentials.replace("-", "+").replace("_", "/") + "==")
        except Error:
            return
        for text in _texts(decoded):
            yield from (text, text.partition(":")[2])


def _is_tenant_id(text: str) -> bool:
    return re.fullmatch(r"[a-z]{0,12}-?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


def _pairs(text: str) -> Iterator[str]:
    for pair in set(text.split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            # The part before a missing `=` may be a value: it is public only if it looks like a name.
            if not re.fullmatch(r"[A-Za-z_.-]{1,20}", pair):
                yield from _decoded(pair)
        elif not is_harmless(name, value):
            yield from _decoded(value)
            if not is_parameter_name(name):
                yield from _decoded(name)
                yield from _decoded(pair)


def _decoded(value: str) -> Iterator[str]:
    for layer in unescaped(value):
        yield layer
        yield layer.replace("+", " ")


def _body_values(body: bytes) -> Iterator[str]:
    text = body.decode("utf-8", "replace")
    if text.lstrip()[:1] in ("{", "["):
        import json  # noqa: PLC0415

        try:
            yield from _strings(json.loads(text), depth=0)
        except (ValueError, RecursionError):
            yield from _words(text)
    elif all(is_parameter_name(pair.partition("=")[0]) for pair in text.split("&")) and "=" in text:
        yield from _pairs(text)
    else:
        # A form whose names are values, a multipart body, XML, or an unknown format.
        yield from _pairs(text)
        yield from _words(text)


def _words(text: str) -> Iterator[str]:
    """Return a body of unknown format as a whole, and each of its words."""
    yield text
    yield from re.split(r"[\s\"'{}\[\]<>(),;:=&]+", text)


def _strings(value: object, *, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield from unescaped(value)
    elif isinstance(value, dict) and depth < _DEEPEST:
        for name, item in value.items():
            yield from _strings(item, depth=depth + 1)
            if is_sensitive(str(name)) and isinstance(item, (int, float)):
                yield str(item)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _strings(item, depth=depth + 1)


def _add_event(event: Mapping[str, object], found: set[str], depth: int = 0) -> None:
    """Add the client's values in an authorizer's event of any kind."""
    for name, value in event.items():
        if (read := _EVENT_MEMBERS.get(name)) is not None:
            if value:
                found.update(read(value))
        elif not isinstance(value, (str, int)) and isinstance(value, Mapping) and depth < _DEEPEST:
            _add_event(value, found, depth + 1)


def _event_headers(headers: object) -> Iterator[str]:
    for name, values in headers.items() if isinstance(headers, Mapping) else ():
        yield from _of_header(str(name), _listed(values))


def _event_parameters(parameters: object) -> Iterator[str]:
    for name, values in parameters.items() if isinstance(parameters, Mapping) else ():
        for value in _listed(values):
            if not is_harmless(str(name), value):
                yield from _decoded(value)


def _event_credentials(values: object) -> Iterator[str]:
    for value in _listed(values):
        yield from _credential_parts("authorization", value)


def _event_cookies(values: object) -> Iterator[str]:
    for value in _listed(values):
        yield from _credential_parts("cookie", value)


def _event_query(query: object) -> Iterator[str]:
    for value in _listed(query):
        yield from _pairs(value)


def _event_body(body: object) -> Iterator[str]:
    for text in _listed(body):
        yield from _body_values(text.encode("utf-8", "replace"))


def _graphql_strings(document: object) -> Iterator[str]:
    for text in _listed(document):
        for literal in re.findall(r'"((?:[^"\\]|\\.)*+)"', text):
            yield from unescaped(literal)


_EVENT_MEMBERS: Mapping[str, Callable[[object], Iterator[str]]] = {
    "headers": _event_headers,
    "multiValueHeaders": _event_headers,
    "requestHeaders": _event_headers,
    "queryStringParameters": _event_parameters,
    "multiValueQueryStringParameters": _event_parameters,
    "rawQueryString": _event_query,
    "cookies": _event_cookies,
    "authorizationToken": _event_credentials,
    "identitySource": _event_credentials,
    "body": _event_body,
    "queryString": _graphql_strings,
    "variables": lambda variables: _strings(variables, depth=0),
}


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
