"""An application that leaks, for the canary test: it logs and raises the contents of requests."""

from __future__ import annotations

import base64
import json
import logging
import threading
import warnings
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus

from fastapi import APIRouter, Request

from tenantgate.errors.tokens import InvalidSignature, ProviderUnreachable
from tenantgate.observability.logging import log_unhandled
from tenantgate.web.app import create_app

router = APIRouter()
_log = logging.getLogger("tenantgate.canary")


async def _everything(request: Request) -> dict[str, Any]:
    return {
        "url": str(request.url),
        "headers": dict(request.headers),
        "scope": request.scope["headers"],
        "query": parse_qs(request.url.query),
        "cookies": request.cookies,
        "body": (await request.body()).decode(),
    }


def _values(body: str) -> list[str]:
    try:
        members = json.loads(body)
    except ValueError:
        return [value for values in parse_qs(body).values() for value in values]
    return [str(value) for value in members.values()]


@router.post("/log")
async def log(request: Request) -> None:
    sent = await _everything(request)
    _log.info("as context", extra={"context": sent})
    _log.info("as text %s", sent)
    _log.warning("as JSON %s", json.dumps({name: str(value) for name, value in sent.items()}))
    for part in sent.values():
        _log.info(f"as itself {part}")
    for value in [*request.query_params.values(), *request.cookies.values(), *_values(sent["body"])]:
        _log.info("one value: %s", value)
    logging.getLogger("some.library").warning("as a library does: %r", sent)
    logging.getLogger("uvicorn.error").error("GET %s failed: %s", request.url, sent)


@dataclass
class Attempt:
    """Values of a request in an object whose `repr` shows all of them."""

    header: bytes
    values: list[str]


@router.post("/encoded")
async def encoded(request: Request) -> None:
    sent = await _everything(request)
    for value in [*request.query_params.values(), *request.cookies.values(), *_values(sent["body"])]:
        _log.info("url %s, twice %s, form %s", quote(value, safe=""), quote(quote(value)), quote_plus(value))
        _log.info("json %s, in json %s, bytes %r", json.dumps(value), json.dumps(json.dumps(value)), value.encode())
        for scheme in (base64.b64encode, base64.urlsafe_b64encode):
            _log.info("base64 %s", scheme(value.encode()).decode())
            _log.info(
                "as base64", extra={"context": {"x": scheme(f"user:{value}".encode()), "y": scheme(value.encode())}}
            )
        _log.info(
            "pairs", extra={"context": {"pairs": [("x", value), (b"y", value.encode())], "keys": {value: {value}}}}
        )
        _log.info("cut", extra={"context": {"short": f"{value[: len(value) - 2]}...", "long": "." * 4090 + value * 3}})
    _log.info("%s", Attempt(request.headers["authorization"].encode(), list(request.query_params.values())))
    for line in (
        f"Authorization:\r\n {sent['headers']['authorization']}",
        f"cookie: a;\n\t{sent['headers']['cookie']}",
    ):
        _log.warning("continued: %s", line)
    warnings.warn(f"an odd request {sent}", stacklevel=1)


@router.post("/noted")
async def noted(request: Request) -> None:
    sent = await _everything(request)
    error = ValueError(sent["body"])
    error.add_note(f"while serving {sent}")
    try:
        raise error
    except ValueError as cause:
        raise ExceptionGroup(sent["url"], [error, KeyError(*request.query_params.values())]) from cause


@router.post("/fail")
async def fail(request: Request) -> None:
    sent = await _everything(request)
    try:
        raise KeyError(sent["body"])
    except KeyError as cause:
        raise ValueError(f"could not handle {sent}") from cause


@router.post("/refuse")
async def refuse(request: Request) -> None:
    sent = await _everything(request)
    raise InvalidSignature(f"refused {sent['headers']}", **sent)


@router.post("/unreachable")
async def unreachable(request: Request) -> None:
    raise ProviderUnreachable(str(await _everything(request)))


@router.post("/group")
async def group(request: Request) -> None:
    sent = await _everything(request)
    raise ExceptionGroup("several", [ValueError(str(sent)), TypeError(sent["body"])])


@router.post("/thread")
async def thread(request: Request) -> None:
    # A thread has no request context, so only the format of the text identifies the secret.
    headers = dict(request.headers)

    def run() -> None:
        raise RuntimeError(f"authorization: {headers['authorization']}")

    worker = threading.Thread(target=run)
    worker.start()
    worker.join()


@router.post("/unwritable")
async def unwritable(request: Request) -> None:
    _log.info("%d", request.headers["authorization"])


log_unhandled()
app = create_app(router)
