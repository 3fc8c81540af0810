"""`tenantgate dev`: everything on this machine, each function under Lambda's runtime client behind an API Gateway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path

from lambda_gateway.app import Gateway
from lambda_gateway.model import Kind, Template, TemplateError
from lambda_gateway.observer import Handled, Observer
from lambda_gateway.reload import reload_on_change
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError
from tenantgate.web.refused_origins import RefusedOrigins
from tenantgate_cli.commands.second_stack_check import SecondStackCheck
from tenantgate_cli.console import Failure, say, step
from tenantgate_cli.paths import OPENAPI, RULES
from tenantgate_cli.stack import dev_output, ready
from tenantgate_cli.stack.api_addresses import ApiAddress, addresses, tls_hint
from tenantgate_cli.stack.front import Front
from tenantgate_cli.stack.function_logs import FunctionLogs
from tenantgate_cli.stack.http_servers import HttpServers
from tenantgate_cli.stack.local_stack import Stack, local_stack
from tenantgate_cli.stack.provider_check import discovery_problem
from tenantgate_cli.stack.request_lines import RequestLines
from tenantgate_cli.stack.running_stack import described
from tenantgate_cli.stack.schedules import keep_schedules, schedules_for
from tenantgate_cli.stack.second_stack import RULES_VARIABLE, SecondStack
from tenantgate_cli.stack.signals import handle_signals_in, ignore_signals_in
from tenantgate_cli.stack.templates import read_product_template


def run(port: int, data_dir: Path, *, reset: bool, template: Path, second: Path | None = None) -> None:
    """Serve until a signal. `second` is the template of a second stack. Raises Failure."""
    try:
        with (
            local_stack("dev", port, data_dir, reset=reset) as stack,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            runner.run(_Dev(stack, template, second).run())
    except KeyboardInterrupt:
        pass
    say("stopped")


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    return uvloop.Loop


class _Dev:
    def __init__(self, stack: Stack, template: Path, second: Path | None) -> None:
        self._stack = stack
        self._path = template
        self._second = None if second is None else SecondStack(second)
        self._check = None if self._second is None else SecondStackCheck(self._second)
        self._rules = RULES
        self._logs = FunctionLogs(stack.folder.logs, dev_output.show_output)
        self._requests = RequestLines(self._show_request, self._logs.write)
        self._shown_logs = f"{stack.folder.shown()}/logs"
        self._stop = asyncio.Event()
        self._addresses: list[ApiAddress] = []
        self._is_ready = self._has_hinted = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        handle_signals_in(loop, self._stop.set)
        gateway: Gateway | None = None
        servers = HttpServers()
        tasks: list[asyncio.Task[None]] = []
        sockets = contextlib.ExitStack()
        try:
            with step("gateway"):
                self._addresses = sockets.enter_context(addresses(self._first_template(), self._stack.url))
                gateway = Gateway(self._first_template(), observer=self._observer())
                await servers.start(self._front(gateway), self._stack.bound)
                for address in self._addresses:
                    websocket = address.api.kind is Kind.WEBSOCKET
                    await servers.start(gateway.api(address.api.name), address.bound, websocket=websocket)
            self._show_warnings()
            problem = await self._until_stopped(self._check_provider())
            if self._stop.is_set():
                return
            note = self._second.note if self._second else ""
            ready.show_dev(self._stack, problem or "", self._addresses, note)
            self._is_ready = True
            schedules = schedules_for(self._stack.variables.settings)
            tasks += [
                asyncio.create_task(gateway.retire_idle()),
                asyncio.create_task(keep_schedules(gateway, schedules)),
            ]
            await reload_on_change(
                gateway,
                self._template,
                on_reload=self._reloaded,
                on_problem=dev_output.show_template_error,
                stop=self._stop,
                file_variables=(RULES_VARIABLE,),
            )
        finally:
            ignore_signals_in(loop)
            # A request that the stop cancels is not an error.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            if gateway is not None:
                # First: a server that stops tells its clients that it restarts (1012), not that it goes away (1001).
                await gateway.close_websockets()
            servers.stop()
            if gateway is not None:
                await gateway.stop()
                dev_output.show_errors(gateway.functions.metrics)
            for task in tasks:
                task.cancel()
            await servers.wait_stopped()
            sockets.close()
            self._requests.flush()
            self._logs.close()

    def _front(self, gateway: Gateway) -> Front:
        allowed = self._stack.variables.settings["ALLOWED_ORIGINS"].split(",")
        refused = RefusedOrigins(allowed=allowed, base_url=self._stack.url)
        return Front(gateway, self._stack.url, OPENAPI, refused=refused, on_refused=dev_output.show_refused_origin)

    def _template(self) -> Template:
        variables = self._stack.variables
        settings = {**variables.settings, **(self._second.settings(variables.settings) if self._second else {})}
        read = read_product_template(self._path, settings, variables.secrets)
        if self._second is not None:
            read = self._second.joined(read, self._addresses)
        if self._check is not None:
            self._rules = Path(settings.get(RULES_VARIABLE) or RULES)
            self._check.run(read, self._rules, [address.api.name for address in self._addresses])
        self._stack.folder.publish(
            url=self._stack.url, owner_url=settings["DATABASE_OWNER_URL"], **described(read, settings)
        )
        return read.with_variables(variables.machine)

    def _first_template(self) -> Template:
        try:
            return self._template()
        except TemplateError as error:
            raise Failure(str(error), "correct this, then start again") from error

    def _reloaded(self, files: list[str], restarted: list[str]) -> None:
        dev_output.show_reload(files, restarted)
        if self._rules.name in files:
            # Other rules can make the template's use of the authorizer unsafe.
            try:
                self._template()
            except TemplateError as error:
                dev_output.show_template_error(error)
        self._show_warnings()

    def _show_warnings(self) -> None:
        for notice in self._check.news() if self._check is not None else ():
            dev_output.show_warning(notice.problem, notice.remedy)

    def _observer(self) -> Observer:
        return Observer(
            handled=self._requests.handled,
            failed=self._show_failure,
            output=self._output,
        )

    def _show_failure(self, function: str, error: FunctionError | MalformedResponse) -> None:
        dev_output.show_failure(self._shown_logs, function, error, tls_hint(str(error), self._addresses))

    def _output(self, function: str, line: str) -> None:
        self._logs.write(function, line)
        self._requests.output(function, line)

    def _show_request(self, handled: Handled, words: str) -> None:
        # The provider check's own requests come before the ready lines.
        if not self._is_ready:
            return
        dev_output.show_request(handled, words)
        if handled.authorization is not None and handled.authorization.denied and not self._has_hinted:
            self._has_hinted = True
            dev_output.show_hint(handled, self._stack.folder.option())

    async def _check_provider(self) -> str:
        """Return the problem with the provider's discovery document, or an empty string.

        Raises Failure if it is the built-in provider, which must work.
        """
        provider = self._stack.variables.provider
        with step("provider"):
            problem = await asyncio.to_thread(discovery_problem, provider.issuer)
        if problem and provider.built_in:
            raise Failure(
                f"the built-in provider doesn't respond: {problem}",
                f"read {self._shown_logs}/IdentityProviderFunction.log",
            )
        return problem

    async def _until_stopped(self, work: Coroutine[object, object, str]) -> str | None:
        """Return the result of `work`, or None if a signal comes first."""
        task = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done():
            return task.result()
        task.cancel()
        return None
