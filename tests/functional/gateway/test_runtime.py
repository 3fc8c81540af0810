"""One function in one process under the real `awslambdaric`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from lambda_gateway.runtime.failures import Crashed, FunctionError, InitFailed, TimedOut
from lambda_gateway.runtime.process import FunctionProcess
from tests.fixtures.gateway.project import write_handler

pytestmark = pytest.mark.anyio
HANDLER = "functions.it.handler.lambda_handler"


def function(
    folder: Path, code: str, *, timeout: float = 5, env: Mapping[str, str] | None = None, **more: object
) -> FunctionProcess:
    write_handler(folder, "it", code)
    return FunctionProcess(HANDLER, pythonpath=[folder], name="It", timeout=timeout, env=env, **more)  # type: ignore[arg-type]


async def gone(pid: int, seconds: float = 5.0) -> bool:
    """Return whether the process ended within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_runs_the_handler_under_lambdas_own_runtime_client(tmp_path: Path) -> None:
    code = """
        import json, os, sys
        def lambda_handler(event, context):
            return {
                "event": event,
                "client": "awslambdaric.bootstrap" in sys.modules,
                "request_id": context.aws_request_id,
                "arn": context.invoked_function_arn,
                "remaining": context.get_remaining_time_in_millis(),
                "memory": context.memory_limit_in_mb,
            }
    """
    async with function(tmp_path, code, timeout=3, memory=512) as process:
        response = await process.invoke({"a": ["ä", 1, None]})
    assert response["event"] == {"a": ["ä", 1, None]}
    assert response["client"] is True
    assert len(response["request_id"]) == 36
    assert response["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:It"
    assert 0 < response["remaining"] <= 3000
    assert response["memory"] == "512"


async def test_the_environment_is_the_functions_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "x")
    code = "import os\ndef lambda_handler(event, context): return dict(os.environ)"
    async with function(tmp_path, code, env={"MINE": "1", "AWS_REGION": "eu-central-1"}) as process:
        environment = await process.invoke({})
    assert "SECRET_OF_THE_PARENT" not in environment
    assert environment["MINE"] == "1"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert environment["_HANDLER"] == HANDLER
    assert environment["LAMBDA_TASK_ROOT"] == str(tmp_path)
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "It"
    assert environment["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python3.{sys.version_info.minor}"


async def test_one_process_serves_many_invocations(tmp_path: Path) -> None:
    code = "import os\ndef lambda_handler(event, context): return {'pid': os.getpid(), 'n': event['n']}"
    async with function(tmp_path, code) as process:
        responses = [await process.invoke({"n": number}) for number in range(20)]
    assert [response["n"] for response in responses] == list(range(20))
    assert {response["pid"] for response in responses} == {process.pid}


async def test_large_events_and_responses_pass(tmp_path: Path) -> None:
    code = "def lambda_handler(event, context): return {'body': event['body'][::-1]}"
    async with function(tmp_path, code) as process:
        response = await process.invoke({"body": "ab" * 2_000_000})
    assert response == {"body": "ba" * 2_000_000}


async def test_isolated_only_the_path_and_lambdas_own_packages_can_be_imported(tmp_path: Path) -> None:
    code = """
        import importlib.util
        def lambda_handler(event, context):
            return {name: importlib.util.find_spec(name) is not None for name in event["names"]}
    """
    async with function(tmp_path, code, isolated=True) as process:
        found = await process.invoke({"names": ["functions.it", "json", "boto3", "fastapi", "pytest", "tenantgate"]})
    assert found == {
        "functions.it": True,
        "json": True,
        "boto3": True,
        "fastapi": False,
        "pytest": False,
        "tenantgate": False,
    }


async def test_an_exception_is_reported_as_lambda_does(tmp_path: Path) -> None:
    code = "def lambda_handler(event, context):\n    raise KeyError('sub')"
    async with function(tmp_path, code) as process:
        with pytest.raises(FunctionError) as failure:
            await process.invoke({})
        assert failure.value.error_type == "KeyError"
        assert failure.value.message == "'sub'"
        assert "raise KeyError" in failure.value.stack_trace[0]
        # The environment stays.
        with pytest.raises(FunctionError):
            await process.invoke({})


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        pytest.param("import nothing_like_this", "Runtime.ImportModuleError", "nothing_like_this", id="import"),
        pytest.param("def lambda_handler(", "Runtime.UserCodeSyntaxError", "Syntax error", id="syntax"),
        pytest.param("x = 1", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing", id="no-handler"),
        pytest.param("raise ValueError('DATABASE_URL is bad')", "ValueError", "DATABASE_URL is bad", id="exception"),
        pytest.param("import sys\nsys.exit(3)", "Runtime.ExitError", "exit status 3", id="exit"),
        pytest.param("import os\nos.kill(os.getpid(), 9)", "Runtime.ExitError", "signal: 9", id="killed"),
    ],
)
async def test_code_that_cannot_be_loaded_is_an_init_failure(
    tmp_path: Path, code: str, kind: str, message: str
) -> None:
    process = function(tmp_path, code)
    with pytest.raises(InitFailed) as failure:
        await process.start()
    assert failure.value.error_type == kind
    assert message in failure.value.message
    assert not process.alive


async def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    process = FunctionProcess(HANDLER, pythonpath=[tmp_path / "nothing"])
    with pytest.raises(InitFailed, match="No such file"):
        await process.start()


async def test_loading_has_a_time_limit(tmp_path: Path) -> None:
    process = function(tmp_path, "import time\ntime.sleep(60)", init_timeout=0.5)
    with pytest.raises(InitFailed, match=r"longer than 0\.5 s"):
        await process.start()
    assert not process.alive


async def test_a_crash_in_the_middle_of_an_invocation(tmp_path: Path) -> None:
    code = "import os\ndef lambda_handler(event, context): os._exit(7)"
    async with function(tmp_path, code) as process:
        with pytest.raises(Crashed, match="exit status 7"):
            await process.invoke({})
        assert not process.alive


async def test_an_invocation_that_takes_too_long_ends_the_process(tmp_path: Path) -> None:
    code = "import time\ndef lambda_handler(event, context): time.sleep(60)"
    async with function(tmp_path, code, timeout=0.3) as process:
        pid = process.pid
        with pytest.raises(TimedOut, match=r"Task timed out after 0\.30 seconds"):
            await process.invoke({})
        assert pid is not None
        assert await gone(pid)


async def test_even_a_process_that_ignores_signals_is_stopped(tmp_path: Path) -> None:
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        def lambda_handler(event, context): return {}
    """
    process = function(tmp_path, code)
    await process.start()
    pid = process.pid
    await process.stop()
    assert pid is not None
    assert await gone(pid)


async def test_its_output_is_reported_line_by_line(tmp_path: Path) -> None:
    code = """
        import sys
        print("loading")
        def lambda_handler(event, context):
            print("one\\ntwo")
            sys.stderr.write("three\\n")
            return {}
    """
    lines: list[str] = []
    async with function(tmp_path, code, on_output=lines.append) as process:
        await process.invoke({})
    assert lines == ["loading", "one", "two", "three"]


async def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    write_handler(tmp_path, "it", "def lambda_handler(event, context): return {}")
    program = f"""
import asyncio, pathlib, sys
from lambda_gateway.runtime.process import FunctionProcess
async def main():
    process = FunctionProcess({HANDLER!r}, pythonpath=[pathlib.Path({str(tmp_path)!r})])
    await process.start()
    print(process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        child = int(await asyncio.to_thread(parent.stdout.readline))
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    assert await gone(child)


async def test_invocations_do_not_overlap_in_one_process(tmp_path: Path) -> None:
    code = "import time\ndef lambda_handler(event, context): time.sleep(0.3); return {}"
    async with function(tmp_path, code) as process:
        first = asyncio.create_task(process.invoke({}))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="busy with an invocation"):
            await process.invoke({})
        assert await first == {}


async def test_raw_bytes_pass_unchanged(tmp_path: Path) -> None:
    async with function(tmp_path, "def lambda_handler(event, context): return 'x'") as process:
        assert json.loads(await process.invoke_raw(b"{}")) == "x"
