"""`tenantgate dev`: everything on this machine, the functions under Lambda's runtime client behind an API Gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import override

import uvicorn
from rich.text import Text

from lambda_gateway.app import Gateway
from lambda_gateway.asgi import AsgiApp
from lambda_gateway.model import Template, TemplateError
from lambda_gateway.observer import Handled, Observer
from lambda_gateway.reload import reload_on_change
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError, InitFailed
from tenantgate_cli.console import Failure, say, step
from tenantgate_cli.paths import OPENAPI
from tenantgate_cli.stack import ready
from tenantgate_cli.stack.front import Front
from tenantgate_cli.stack.function_logs import FunctionLogs
from tenantgate_cli.stack.local_stack import Stack, ignore_signals, local_stack
from tenantgate_cli.stack.second_stack import RULES_VARIABLE, SecondStack, addresses
from tenantgate_cli.stack.templates import read_product_template

_GRACE_SECONDS = 2


def run(port: int, data_dir: Path, *, reset: bool, template: Path, beside: Path | None = None) -> None:
    """Serve until a signal. `beside` is the template of a second stack, served on ports of its own. Raises Failure."""
    try:
        with (
            local_stack("dev", port, data_dir, reset=reset) as stack,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            runner.run(_Dev(stack, template, beside).run())
    except KeyboardInterrupt:
        pass
    say("stopped")


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    return uvloop.Loop


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: what else is running must be stopped in order, too."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Servers:
    """One for each API."""

    def __init__(self) -> None:
        self._servers: list[_Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, app: AsgiApp, sock: socket.socket) -> None:
        """Serve; returns when requests are taken."""
        server = _Server(_configuration(app))
        self._servers.append(server)
        self._tasks.append(asyncio.create_task(server.serve(sockets=[sock])))
        await server.serving.wait()

    def end(self) -> None:
        """Take no more requests."""
        for server in self._servers:
            server.should_exit = True

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Dev:
    def __init__(self, stack: Stack, template: Path, beside: Path | None) -> None:
        self._stack = stack
        self._path = template
        self._beside = None if beside is None else SecondStack(beside)
        self._logs = FunctionLogs(stack.folder.logs, _show_output)
        self._stop = asyncio.Event()
        self._is_ready = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        gateway: Gateway | None = None
        servers = _Servers()
        retiring: asyncio.Task[None] | None = None
        sockets = contextlib.ExitStack()
        try:
            with step("gateway"):
                gateway = Gateway(self._read_template(), observer=self._observer())
                others = sockets.enter_context(addresses(gateway.template, self._stack.url))
                await servers.start(Front(gateway, self._stack.url, OPENAPI), self._stack.sock)
                for address in others:
                    await servers.start(gateway.api(address.api.name), address.sock)
            problem = await self._until_stopped(self._check_provider())
            if self._stop.is_set():
                return
            guarded = [(address.url, address.title) for address in others]
            ready.show_dev(self._stack, problem or "", guarded, self._beside.note if self._beside else "")
            self._is_ready = True
            retiring = asyncio.create_task(gateway.retire_idle())
            await reload_on_change(
                gateway,
                self._template,
                on_reload=_show_reload,
                on_problem=lambda error: say(Text("✗ ", style="red") + Text(str(error))),
                stop=self._stop,
                file_variables=(RULES_VARIABLE,),
            )
        finally:
            ignore_signals_in(loop)
            servers.end()
            if gateway is not None:
                await gateway.stop()
            if retiring is not None:
                retiring.cancel()
            await servers.ended()
            sockets.close()
            self._logs.close()

    def _template(self) -> Template:
        variables = self._stack.variables
        settings = {**variables.settings, **(self._beside.settings(variables.settings) if self._beside else {})}
        read = read_product_template(self._path, settings, variables.secrets)
        if self._beside is not None:
            read = self._beside.joined(read)
        return read.with_variables(variables.machine)

    def _read_template(self) -> Template:
        try:
            return self._template()
        except TemplateError as error:
            raise Failure(str(error), "mend the template, then start again") from error

    def _observer(self) -> Observer:
        return Observer(handled=self._show_request, failed=self._show_failure, output=self._logs.write)

    def _show_request(self, handled: Handled) -> None:
        if not self._is_ready:
            return
        # The path alone: a query may carry codes and tokens.
        style = "red" if handled.status >= 500 else "yellow" if handled.status >= 400 else "green"
        say(
            Text(f"{handled.method:<7} {handled.path}  ")
            + Text(str(handled.status), style=style)
            + Text(f"  {handled.seconds * 1000:.0f} ms  {handled.function}".rstrip(), style="dim")
        )

    def _show_failure(self, function: str, error: FunctionError | MalformedResponse) -> None:
        kind = error.error_type if isinstance(error, FunctionError) else "malformed response"
        what = "can't be loaded" if isinstance(error, InitFailed) else "failed"
        say(Text("✗ ", style="red") + Text(f"{function} {what}: {kind}: {error}"))
        for line in error.stack_trace if isinstance(error, FunctionError) else ():
            say(Text(line.rstrip("\n"), style="dim"))
        say(Text(f"  its log: {self._stack.folder.shown()}/logs/{function}.log", style="dim"))

    async def _check_provider(self) -> str:
        """Ask the provider for its discovery document; what is wrong with that, or nothing."""
        provider = self._stack.variables.provider
        with step("provider"):
            problem = await asyncio.to_thread(_discovery_problem, provider.issuer)
        if problem and provider.built_in:
            raise Failure(
                f"the built-in provider doesn't answer: {problem}",
                f"read {self._stack.folder.shown()}/logs/IdentityProviderFunction.log",
            )
        return problem

    async def _until_stopped(self, work: Coroutine[object, object, str]) -> str | None:
        """The result of `work`, or None if a signal came first."""
        task = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done():
            return task.result()
        task.cancel()
        return None


def ignore_signals_in(loop: asyncio.AbstractEventLoop) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.remove_signal_handler(number)
    ignore_signals()


def _configuration(app: AsgiApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _discovery_problem(issuer: str) -> str:
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    # The functions use no proxy either.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as response:
            found = json.load(response).get("issuer")
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}"
    except (OSError, ValueError, AttributeError) as error:
        return f"{url}: {getattr(error, 'reason', error)}"
    return "" if found == issuer else f"{url} names the issuer {found}, OIDC_ISSUER_URL says {issuer}"


def _show_output(function: str, level: str, text: str) -> None:
    style = {"": "dim", "WARNING": "yellow"}.get(level, "red")
    say(Text(f"{level:<8}" if level else "│ ", style=style) + Text(f"{function}: ", style="dim") + Text(text))


def _show_reload(files: list[str], restarted: list[str]) -> None:
    shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    say(Text(f"changed: {shown}; starting anew: {', '.join(restarted) or 'nothing was running'}", style="dim"))
