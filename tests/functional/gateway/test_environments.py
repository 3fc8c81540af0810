"""Processes come and go: first use, overlapping requests, changed code, broken code, the end."""

import asyncio
import os
from collections.abc import Callable
from typing import Self

import psutil
import pytest

from lambda_gateway.model import TemplateError
from lambda_gateway.reload import affected, reload_on_change
from lambda_gateway.runtime.environments import Function
from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.project import DEFAULT_EVENT, HEAD, event, function_resource, write_handler
from tests.functional.gateway.conftest import Running, Serve

pytestmark = pytest.mark.anyio

WHO = """
    import os, time
    def lambda_handler(event, context):
        time.sleep(float((event.get("queryStringParameters") or {}).get("sleep", "0")))
        return {"pid": os.getpid(), "version": 1}
"""
TEMPLATE = HEAD + function_resource("Who", "who", "Timeout: 20\n" + DEFAULT_EVENT)


def versioned(number: int) -> str:
    return f"import os\ndef lambda_handler(event, context): return {{'pid': os.getpid(), 'version': {number}}}"


async def eventually(true: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_function_starts_on_first_use_and_stays(serve: Serve) -> None:
    async with serve(TEMPLATE, who=WHO) as running:
        assert running.gateway.functions["Who"].environments == 0
        pids = {(await running.client.get("/")).json()["pid"] for _ in range(5)}
        assert len(pids) == 1
        assert running.started == ["Who"]


async def test_overlapping_requests_get_their_own_processes_up_to_the_limit(serve: Serve) -> None:
    async with serve(TEMPLATE, environments=3, who=WHO) as running:
        responses = await asyncio.gather(*(running.client.get("/?sleep=0.5") for _ in range(7)))
        assert [response.status_code for response in responses] == [200] * 7
        assert len({response.json()["pid"] for response in responses}) == 3
        assert running.gateway.functions["Who"].environments == 3


async def test_short_requests_one_after_the_other_need_no_second_process(serve: Serve) -> None:
    async with serve(TEMPLATE, who=WHO) as running:
        await running.client.get("/")
        responses = await asyncio.gather(*(running.client.get("/") for _ in range(5)))
        assert len({response.json()["pid"] for response in responses}) == 1


async def test_environments_of_a_burst_are_retired(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_gateway.runtime.environments._IDLE_SECONDS", 0.0)
    async with serve(TEMPLATE, who=WHO) as running:
        await asyncio.gather(*(running.client.get("/?sleep=0.3") for _ in range(3)))
        who: Function = running.gateway.functions["Who"]
        who.retire_idle()
        await eventually(lambda: len(who.pids) == 1)


async def test_a_crash_is_a_500_and_the_next_request_gets_a_new_process(serve: Serve) -> None:
    code = """
        import os
        def lambda_handler(event, context):
            if event["rawPath"] == "/crash": os._exit(9)
            return {"pid": os.getpid()}
    """
    async with serve(TEMPLATE, who=code) as running:
        before = (await running.client.get("/")).json()["pid"]
        assert (await running.client.get("/crash")).status_code == 500
        after = (await running.client.get("/")).json()["pid"]
        assert before != after
        assert "exit status 9" in str(running.failed[0][1])


async def test_a_process_that_was_killed_between_requests_is_replaced(serve: Serve) -> None:
    async with serve(TEMPLATE, who=WHO) as running:
        before = (await running.client.get("/")).json()["pid"]
        os.kill(before, 9)
        # Wait until its last thread is gone; until then it can't be distinguished from a running process.
        await eventually(lambda: not psutil.pid_exists(before))
        assert (await running.client.get("/")).json()["pid"] != before


async def test_code_that_cannot_be_loaded_is_a_500_until_it_is_fixed(serve: Serve) -> None:
    async with serve(TEMPLATE, who="import nothing_like_this") as running:
        responses = await asyncio.gather(*(running.client.get("/") for _ in range(3)))
        assert [response.status_code for response in responses] == [500] * 3
        name, error = running.failed[0]
        assert name == "Who"
        assert "No module named 'nothing_like_this'" in str(error)
        write_handler(running.folder, "who", versioned(2))
        assert (await running.client.get("/")).json()["version"] == 2


class Watched:
    """`reload_on_change` over a running gateway."""

    def __init__(self, running: Running) -> None:
        self.reloads: list[list[str]] = []
        self.problems: list[TemplateError] = []
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(
            reload_on_change(
                running.gateway,
                lambda: read_template(running.folder / "template.yaml"),
                on_reload=lambda _, restarted: self.reloads.append(restarted),
                on_problem=self.problems.append,
                stop=self._stop,
            )
        )

    async def __aenter__(self) -> Self:
        # The watcher has no sign of being ready; a change before it is would be lost.
        await asyncio.sleep(0.3)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task


async def test_a_file_that_an_editor_replaces_is_noticed_every_time(serve: Serve) -> None:
    async with serve(TEMPLATE, who=versioned(1)) as running, Watched(running) as watched:
        template = running.folder / "template.yaml"
        for number in range(3):
            saved = running.folder / "template.yaml.new"
            saved.write_text(TEMPLATE + f"# {number}\n")
            saved.replace(template)
            await eventually(lambda: len(watched.reloads) == number + 1)  # noqa: B023
        # Other files in its folder don't count.
        (running.folder / "notes.yaml").write_text("x")
        await asyncio.sleep(0.5)
        assert len(watched.reloads) == 3


@pytest.mark.timed
async def test_changed_code_serves_the_next_request_within_a_second(serve: Serve) -> None:
    async with serve(TEMPLATE, who=WHO) as running, Watched(running) as watched:
        before = (await running.client.get("/")).json()
        write_handler(running.folder, "who", versioned(2))
        async with asyncio.timeout(1.0 if "CI" not in os.environ else 5.0):
            while (await running.client.get("/")).json()["version"] != 2:
                await asyncio.sleep(0.01)
        assert watched.reloads[0] == ["Who"]
        await eventually(lambda: not lives(before["pid"]))


async def test_requests_in_flight_finish_on_the_old_code(serve: Serve) -> None:
    async with serve(TEMPLATE, who=WHO) as running, Watched(running) as watched:
        slow = asyncio.create_task(running.client.get("/?sleep=1.5"))
        await eventually(lambda: running.gateway.functions["Who"].environments == 1)
        write_handler(running.folder, "who", versioned(2))
        await eventually(lambda: bool(watched.reloads))
        assert (await running.client.get("/")).json()["version"] == 2
        assert (await slow).json()["version"] == 1


async def test_a_changed_template_is_served_and_a_broken_one_only_reported(serve: Serve) -> None:
    async with serve(TEMPLATE, who=WHO) as running, Watched(running) as watched:
        path = running.folder / "template.yaml"
        path.write_text("Resources: [")
        await eventually(lambda: bool(watched.problems))
        assert (await running.client.get("/")).status_code == 200
        path.write_text(HEAD + function_resource("Who", "who", event("GET", "/only")))
        await eventually(lambda: len(watched.reloads) >= 2)
        assert (await running.client.get("/other")).status_code == 404
        assert (await running.client.get("/only")).status_code == 200


async def test_a_change_concerns_its_function_and_a_layers_change_all(serve: Serve) -> None:
    template = (
        HEAD
        + "  Shared:\n    Type: AWS::Serverless::LayerVersion\n    Properties: { ContentUri: shared }\n"
        + function_resource("Who", "who", "Layers: !Ref Shared\n" + DEFAULT_EVENT)
        + function_resource("Other", "other", "Layers: !Ref Shared\n")
    )
    async with serve(template, who=WHO, other=WHO) as running:
        read, folder = running.gateway.template, running.folder
        assert affected(read, [folder / "functions/who/handler.py"]) == ["Who"]
        assert affected(read, [folder / "shared/tenantgate/errors.py"]) == ["Who", "Other"]
        assert affected(read, [folder / "README.md"]) == []


async def test_stopping_ends_every_process_even_in_the_middle_of_an_invocation(serve: Serve) -> None:
    async with serve(TEMPLATE, who=WHO) as running:
        asleep = [asyncio.create_task(running.client.get("/?sleep=20")) for _ in range(2)]
        who = running.gateway.functions["Who"]
        await eventually(lambda: who.environments == 2)
        pids = who.pids
        await running.gateway.stop()
        assert not any(lives(pid) for pid in pids)
        assert [response.status_code for response in await asyncio.gather(*asleep)] == [500, 500]
