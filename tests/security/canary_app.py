"""An application that says too much, for the canary test: it logs and raises what its callers sent."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request

from tenantgate.errors import InvalidSignature, ProviderUnreachable
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
    told = await _everything(request)
    _log.info("as context", extra={"context": told})
    _log.info("as text %s", told)
    _log.warning("as JSON %s", json.dumps({name: str(value) for name, value in told.items()}))
    for part in told.values():
        _log.info(f"as itself {part}")
    for value in [*request.query_params.values(), *request.cookies.values(), *_values(told["body"])]:
        _log.info("one value: %s", value)
    logging.getLogger("some.library").warning("as a library does: %r", told)
    logging.getLogger("uvicorn.error").error("GET %s failed: %s", request.url, told)


@router.post("/fail")
async def fail(request: Request) -> None:
    told = await _everything(request)
    try:
        raise KeyError(told["body"])
    except KeyError as cause:
        raise ValueError(f"could not handle {told}") from cause


@router.post("/refuse")
async def refuse(request: Request) -> None:
    told = await _everything(request)
    raise InvalidSignature(f"refused {told['headers']}", **told)


@router.post("/unreachable")
async def unreachable(request: Request) -> None:
    raise ProviderUnreachable(str(await _everything(request)))


@router.post("/group")
async def group(request: Request) -> None:
    told = await _everything(request)
    raise ExceptionGroup("several", [ValueError(str(told)), TypeError(told["body"])])


@router.post("/thread")
async def thread(request: Request) -> None:
    # A thread knows of no request: only the form of what it says gives it away.
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
