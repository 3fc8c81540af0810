"""The limits of Lambda's environment: read-only code and a maximum of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_gateway.runtime.failures import Crashed
from lambda_gateway.runtime.process import FunctionProcess
from tests.fixtures.gateway.project import write_handler

pytestmark = pytest.mark.anyio
HANDLER = "functions.it.handler.lambda_handler"
WRITES = """
    import os, pathlib, shutil, tempfile

    HERE = pathlib.Path(__file__).parent

    def attempt(change):
        try:
            change()
        except OSError as error:
            return error.strerror
        return "written"

    def lambda_handler(event, context):
        outside = pathlib.Path(tempfile.mkdtemp(dir=event["outside"]))
        (outside / "link").symlink_to(HERE)
        (outside / "other").symlink_to(HERE)
        found = {
            "write": attempt(lambda: (HERE / "new.txt").write_text("x")),
            "append": attempt(lambda: open("added.txt", "a")),
            "bytes": attempt(lambda: open(os.fsencode(HERE / "new.txt"), "wb")),
            "by a descriptor": attempt(lambda: open(os.open(outside / "new", os.O_CREAT | os.O_WRONLY), "w")),
            "os.open": attempt(lambda: os.open(HERE / "handler.py", os.O_RDWR)),
            "through a link": attempt(lambda: (outside / "link" / "new.txt").write_text("x")),
            "mkdir": attempt((HERE / "folder").mkdir),
            "remove": attempt((HERE / "handler.py").unlink),
            "rename from": attempt(lambda: os.rename(HERE / "handler.py", outside / "handler.py")),
            "rename to": attempt(lambda: os.rename(outside / "link", HERE / "link")),
            "truncate": attempt(lambda: os.truncate(HERE / "handler.py", 0)),
            "chmod": attempt(lambda: os.chmod(HERE / "handler.py", 0o777)),
            "rmtree": attempt(lambda: shutil.rmtree(HERE)),
            "remove a link": attempt((outside / "other").unlink),
            "read": attempt(lambda: (HERE / "handler.py").read_text()),
            "elsewhere": attempt(lambda: (outside / "new.txt").write_text("x")),
        }
        return found
"""
GROWS = """
    def lambda_handler(event, context):
        kept = b"x" * (event["megabytes"] * 1024 * 1024)
        import time
        time.sleep(event["seconds"])
        return len(kept)
"""


def confined(folder: Path, code: str, memory: int = 512) -> FunctionProcess:
    write_handler(folder, "it", code)
    return FunctionProcess(
        HANDLER, pythonpath=[folder], cwd=folder / "functions/it", memory=memory, timeout=20, confined=True
    )


async def test_the_functions_own_folders_are_read_only(tmp_path: Path) -> None:
    task, outside = tmp_path / "task", tmp_path / "outside"
    outside.mkdir()
    async with confined(task, WRITES) as process:
        found = await process.invoke({"outside": str(outside)})
    allowed = {name for name, result in found.items() if result == "written"}
    assert allowed == {"read", "elsewhere", "remove a link", "by a descriptor"}
    assert {found[name] for name in found.keys() - allowed} == {"Read-only file system"}
    assert sorted(path.name for path in (task / "functions" / "it").iterdir() if path.is_file()) == ["handler.py"]


async def test_the_hidden_folder_of_a_checkout_is_not_code(tmp_path: Path) -> None:
    """`make dev` keeps the anchors of the audit log in .local."""
    writes = """
        import pathlib

        def lambda_handler(event, context):
            folder = pathlib.Path(event["root"]) / ".local" / "anchors" / "checkpoints"
            folder.mkdir(parents=True)
            return {"written": (folder / "new").write_text("x")}
    """
    async with confined(tmp_path, writes) as process:
        assert await process.invoke({"root": str(tmp_path)}) == {"written": 1}
    assert (tmp_path / ".local/anchors/checkpoints/new").is_file()


async def test_bytecode_may_be_kept(tmp_path: Path) -> None:
    async with confined(tmp_path, "def lambda_handler(event, context): return 1") as process:
        assert await process.invoke_raw(b"{}") == b"1"
    assert list((tmp_path / "functions" / "it").glob("__pycache__/handler.*.pyc"))


async def test_a_process_that_uses_too_much_memory_is_ended(tmp_path: Path) -> None:
    async with confined(tmp_path, GROWS, memory=128) as process:
        assert await process.invoke_raw(b'{"megabytes": 10, "seconds": 0.3}') == b"10485760"
        with pytest.raises(Crashed) as failure:
            await process.invoke({"megabytes": 200, "seconds": 15})
    assert failure.value.error_type == "Runtime.ExitError"
    assert failure.value.message.startswith(
        "Runtime exited with error: signal: killed (Memory Size: 128 MB, Max Memory Used: "
    )
    assert not process.alive


async def test_a_process_that_ends_on_its_own_is_no_matter_of_memory(tmp_path: Path) -> None:
    code = "import os\ndef lambda_handler(event, context): os._exit(3)"
    async with confined(tmp_path, code) as process:
        with pytest.raises(Crashed, match="exit status 3"):
            await process.invoke({})
