"""A gateway over a project in a temporary folder, served on a free loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import uvicorn

from lambda_gateway.app import Gateway
from lambda_gateway.asgi import AsgiApp
from lambda_gateway.observer import Handled, Observer
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.template.reader import read_template
from lambda_gateway.websocket.limits import Lifetime
from tenantgate_cli.stack.websocket_server import websocket_settings
from tests.fixtures.gateway.project import write_project

ECHO = """\
def lambda_handler(event, context):
    return event
"""


@dataclass
class Running:
    """A running gateway, its client and its observations."""

    gateway: Gateway
    client: httpx2.AsyncClient
    folder: Path
    url: str
    handled: list[Handled] = field(default_factory=list)
    failed: list[tuple[str, FunctionError | MalformedResponse]] = field(default_factory=list)
    output: list[tuple[str, str]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)


type Serve = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`async with serve(template, handler_name=code, ...) as running:`."""

    @asynccontextmanager
    async def run(
        template: str, *, environments: int = 8, lifetime: Lifetime | None = None, **handlers: str
    ) -> AsyncIterator[Running]:
        path = write_project(tmp_path, template, {name: textwrap.dedent(code) for name, code in handlers.items()})
        seen = Running(None, None, tmp_path, "")  # type: ignore[arg-type]
        observer = Observer(
            handled=seen.handled.append,
            failed=lambda *what: seen.failed.append(what),
            output=lambda *what: seen.output.append(what),
            started=lambda name, _: seen.started.append(name),
        )
        seen.gateway = Gateway(read_template(path), observer=observer, environments=environments, lifetime=lifetime)
        async with listening(seen.gateway) as url:
            seen.url = url
            try:
                async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as seen.client:
                    yield seen
            finally:
                await seen.gateway.stop()

    return run


@asynccontextmanager
async def listening(app: AsgiApp) -> AsyncIterator[str]:
    config = uvicorn.Config(
        app,
        port=0,
        lifespan="off",
        **websocket_settings(),
        http="httptools",
        log_config=None,
        server_header=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    await server.serving.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.serving.set()

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield
