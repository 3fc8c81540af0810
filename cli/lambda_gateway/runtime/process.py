"""One function in one process, run as Lambda runs it: under `awslambdaric`, with an environment of its own.

    process = FunctionProcess("functions.health.handler.lambda_handler", env={...}, pythonpath=[root, layer])
    await process.start()
    answer = await process.invoke(event)
    await process.stop()

What can go wrong is in `failures.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from lambda_gateway.runtime.api import Invocation, RuntimeApi, RuntimeEvents
from lambda_gateway.runtime.failures import Crashed, FunctionError, InitFailed, NotRunning, TimedOut

__all__ = ["Crashed", "FunctionError", "FunctionProcess", "InitFailed", "NotRunning", "TimedOut", "runtime_packages"]

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
# Lambda's own limit is 10 s, but it never compiles what it loads, and isn't busy with anything else.
_INIT_TIMEOUT = 30.0
_STOP_GRACE = 1.0
_KEPT_OUTPUT_LINES = 40
# Lambda's own packages, as they come with its Python runtime.
_RUNTIME_PACKAGES = ("awslambdaric", "snapshot_restore_py.py", "simplejson")
_RUNTIME_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"


class FunctionProcess:
    """One execution environment. Takes one invocation at a time, as on Lambda.

    handler         dotted name, `functions.health.handler.lambda_handler`
    env             the function's variables, complete but for AWS_LAMBDA_* and those that Python itself needs:
                    nothing of the parent's environment is passed on
    pythonpath      folders that come before the interpreter's own on the path; the first is what /var/task is on Lambda
    cwd             the working directory; default: the first of `pythonpath`
    timeout         seconds for one invocation
    isolated        True: only `pythonpath`, the standard library and what Lambda's runtime brings (awslambdaric, boto3)
                    can be imported, not this interpreter's site-packages
    on_output       called with each line (without its end) that the process writes; else the last lines are in `output`
    """

    def __init__(
        self,
        handler: str,
        *,
        env: Mapping[str, str] | None = None,
        pythonpath: Sequence[Path] = (),
        cwd: Path | None = None,
        timeout: float = 30.0,
        memory: int = 128,
        name: str = "function",
        isolated: bool = False,
        python: str = sys.executable,
        init_timeout: float = _INIT_TIMEOUT,
        on_output: Callable[[str], None] | None = None,
    ) -> None:
        self.handler = handler
        self.name = name
        self.timeout = timeout
        self.memory = memory
        self.init_timeout = init_timeout
        self.init_seconds = 0.0
        self.output: deque[str] = deque(maxlen=_KEPT_OUTPUT_LINES)
        self.arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
        self._env = dict(env or {})
        self._pythonpath = [Path(path).resolve() for path in pythonpath]
        self._cwd = (cwd or (self._pythonpath[0] if self._pythonpath else Path.cwd())).resolve()
        self._isolated = isolated
        self._python = python
        self._on_output = on_output
        self._api = RuntimeApi(RuntimeEvents(self._ready, self._answered, self._failed, self._init_failed))
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._request_id = ""
        self._at_ready: asyncio.Future[None] | None = None
        self._at_answer: asyncio.Future[bytes] | None = None
        self._stopping = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        return (
            self._process is not None
            and self._process.returncode is None
            and not self._stopping
            and not _has_ended(self._process.pid)
        )

    @property
    def busy(self) -> bool:
        return self._request_id != ""

    async def start(self) -> None:
        """Spawn the process and wait until the handler is loaded. Raises InitFailed; the process is gone then."""
        began = time.perf_counter()
        address = await self._api.start()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._at_ready = ready
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                env=self._environment(address),
                cwd=self._cwd,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                # A session of its own: Ctrl-C in the terminal is the parent's to handle.
                start_new_session=True,
            )
            self._reader = asyncio.create_task(self._read_output(self._process))
            self._watcher = asyncio.create_task(self._watch(self._process))
            async with asyncio.timeout(self.init_timeout):
                await ready
        except TimeoutError:
            await self.stop()
            raise InitFailed(
                "Sandbox.Timedout", f"loading {self.handler} took longer than {self.init_timeout:g} s"
            ) from None
        except OSError as error:
            await self.stop()
            raise InitFailed("Runtime.InvalidEntrypoint", f"{self.handler} in {self._cwd}: {error.strerror}") from error
        except BaseException:
            await self.stop()
            raise
        self.init_seconds = time.perf_counter() - began

    async def invoke(self, event: object, *, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109
        """Hand over one event and return the answer, both as JSON values. Raises FunctionError."""
        answer: dict[str, Any] = json.loads(await self.invoke_raw(json.dumps(event).encode(), timeout=timeout))
        return answer

    async def invoke_raw(
        self,
        payload: bytes,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        trace_id: str = "",
    ) -> bytes:
        """Hand over one event's bytes and return the answer's. Raises FunctionError."""
        if not self.alive:
            raise NotRunning("Runtime.ExitError", f"{self.name} is not running")
        if self.busy:
            raise RuntimeError(f"{self.name} is in the middle of an invocation")
        limit = self.timeout if timeout is None else timeout
        loop = asyncio.get_running_loop()
        request_id = str(uuid.uuid4())
        self._request_id = request_id
        answer: asyncio.Future[bytes] = loop.create_future()
        self._at_answer = answer
        try:
            async with asyncio.timeout(limit):
                if self._at_ready is not None:
                    await asyncio.shield(self._at_ready)
                self._at_ready = loop.create_future()
                self._api.give(
                    Invocation(
                        request_id=request_id,
                        payload=payload,
                        deadline_ms=int((time.time() + limit) * 1000),
                        function_arn=self.arn,
                        trace_id=trace_id or new_trace_id(),
                    )
                )
                return await answer
        except TimeoutError:
            await self.stop()
            raise TimedOut("Sandbox.Timedout", f"Task timed out after {limit:.2f} seconds") from None
        except asyncio.CancelledError:
            # Nobody will read the answer, and the process may never give one.
            await asyncio.shield(self.stop())
            raise
        finally:
            self._request_id = ""
            self._at_answer = None

    async def stop(self) -> None:
        """End the process: first by asking, after a second by force. Returns when it is gone."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_STOP_GRACE):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._watcher is not None:
            await self._watcher
        if self._reader is not None:
            # A process that the function left behind may hold the pipe open.
            await asyncio.wait([self._reader], timeout=_STOP_GRACE)
            self._reader.cancel()
        self._api.close()

    def _command(self) -> list[str]:
        # -P: the bootstrap's own folder stays off the path. -S: no site-packages.
        flags = ["-P", "-S"] if self._isolated else ["-P"]
        return [self._python, *flags, str(_BOOTSTRAP), self.handler]

    def _environment(self, address: str) -> dict[str, str]:
        path = [str(folder) for folder in self._pythonpath]
        task_root = path[0] if path else str(self._cwd)
        if self._isolated:
            path.append(str(runtime_packages()))
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            **self._env,
            "PYTHONPATH": os.pathsep.join(path),
            "LAMBDA_TASK_ROOT": task_root,
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{secrets.token_hex(16)}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{version}",
            "AWS_REGION": self._env.get("AWS_REGION", REGION),
            "AWS_DEFAULT_REGION": self._env.get("AWS_REGION", REGION),
            "_HANDLER": self.handler,
        }

    def _ready(self) -> None:
        if self._at_ready is not None and not self._at_ready.done():
            self._at_ready.set_result(None)

    def _answered(self, request_id: str, body: bytes) -> None:
        if self._at_answer is not None and request_id == self._request_id and not self._at_answer.done():
            self._at_answer.set_result(body)

    def _failed(self, request_id: str, report: bytes) -> None:
        if self._at_answer is not None and request_id == self._request_id and not self._at_answer.done():
            self._at_answer.set_exception(FunctionError.from_report(report))

    def _init_failed(self, report: bytes) -> None:
        if self._at_ready is not None and not self._at_ready.done():
            self._at_ready.set_exception(InitFailed.from_report(report))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Tell whoever waits when the process ends by itself."""
        status = await process.wait()
        how = f"exit status {status}" if status >= 0 else f"signal: {-status}"
        if self._at_ready is not None and not self._at_ready.done():
            self._at_ready.set_exception(InitFailed("Runtime.ExitError", f"Runtime exited with error: {how}"))
            # Nobody may be waiting for it: the process can end between two invocations.
            self._at_ready.exception()
        if self._at_answer is not None and not self._at_answer.done():
            self._at_answer.set_exception(Crashed("Runtime.ExitError", f"Runtime exited with error: {how}"))

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        rest = b""
        while chunk := await process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._tell(line)
        if rest:
            self._tell(rest)

    def _tell(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        self.output.append(text)
        if self._on_output is not None:
            self._on_output(text)


def _has_ended(pid: int) -> bool:
    """Whether our child has ended, also when the event loop hasn't been told yet. Leaves it to the loop to reap."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def new_trace_id() -> str:
    """An X-Ray trace header for a request that isn't sampled."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def runtime_packages() -> Path:
    """A folder of links to what Lambda's Python runtime brings by itself: awslambdaric and boto3, nothing else."""
    import awslambdaric  # noqa: PLC0415 - only who runs isolated functions needs to know where it is

    site = Path(awslambdaric.__file__).resolve().parent.parent
    folder = site / ".lambda-runtime"
    folder.mkdir(exist_ok=True)
    wanted = [*_RUNTIME_PACKAGES, *_RUNTIME_SDK, *(found.name for found in site.glob("runtime_client*.so"))]
    for name in wanted:
        link = folder / name
        if (site / name).exists() and not link.exists():
            with contextlib.suppress(FileExistsError):
                link.symlink_to(site / name)
    return folder
