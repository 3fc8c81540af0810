"""Either all changes are made or the checkout is as before."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.new import changes as module
from tenantgate_cli.new.changes import Plan, only_one, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text("all:\n")
    (tmp_path / "list.toml").write_text("a = 1\n")
    (tmp_path / "list.toml").chmod(0o600)
    (tmp_path / "page.md").write_text("old\n")
    return tmp_path


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """Replace the programs that are run: the documents are written, then the error is raised, if there is one."""

    def replace(error: BaseException | None) -> None:
        def write_documents(root: Path) -> None:
            (root / "page.md").write_text("new\n")
            if error is not None:
                raise error

        monkeypatch.setattr(module, "_write_documents", write_documents)
        monkeypatch.setattr(module, "_format", lambda root, modules: None)

    return replace


def plan_of(root: Path) -> Plan:
    plan = Plan(root)
    plan.create("new/deep/module.py", "x = 1\n")
    plan.change("list.toml", plan.read("list.toml") + "b = 2\n")
    plan.change("list.toml", plan.read("list.toml") + "c = 3\n")
    return plan


def contents(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else "/" for path in root.rglob("*")}


def test_all_changes_are_made(root: Path, documents: Callable[[BaseException | None], None]) -> None:
    documents(None)
    changes = plan_of(root).changes

    assert [(change.action, change.path) for change in changes] == [
        ("create", "new/deep/module.py"),
        ("change", "list.toml"),
    ]
    assert "+b = 2\n+c = 3\n" in changes[1].diff
    assert write(root, changes, ["page.md", "Makefile"]) == ["page.md"]
    assert contents(root)["new/deep/module.py"] == "x = 1\n"
    assert contents(root)["list.toml"] == "a = 1\nb = 2\nc = 3\n"
    assert (root / "list.toml").stat().st_mode & 0o777 == 0o600
    assert (root / "new" / "deep" / "module.py").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [Failure("broken"), KeyboardInterrupt(), OSError("disk full")], ids=repr)
def test_after_a_failure_or_an_interrupt_every_file_is_as_before(
    error: BaseException, root: Path, documents: Callable[[BaseException | None], None]
) -> None:
    documents(error)
    before = contents(root)

    with pytest.raises(type(error)):
        write(root, plan_of(root).changes, ["page.md"])

    assert contents(root) == before


def test_a_file_that_exists_is_not_created(root: Path) -> None:
    (root / "link").symlink_to("nowhere")

    for name in ("list.toml", "link"):
        with pytest.raises(Failure, match=re.escape(f"{name} exists")) as caught:
            Plan(root).create(name, "")
        assert caught.value.remedy == "choose another name, or remove it"


@pytest.mark.parametrize("name", ["list.toml", "new/deep/module.py"])
def test_a_change_by_another_program_is_kept(
    name: str, root: Path, documents: Callable[[BaseException | None], None]
) -> None:
    documents(None)
    changes = plan_of(root).changes
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("theirs\n")
    before = contents(root)

    with pytest.raises(Failure, match=re.escape(f"{name} has just been changed by another program")):
        write(root, changes, ["page.md"])

    assert contents(root) == before


def _hold(root: Path, held: multiprocessing.synchronize.Event, release: multiprocessing.synchronize.Event) -> None:
    with only_one(root):
        held.set()
        release.wait(30)


def test_only_one_command_runs_in_a_checkout(root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(root, held, release))
    process.start()
    try:
        assert held.wait(30)
        with pytest.raises(Failure, match=r"^another tenantgate new is running"), only_one(root):
            pass
    finally:
        release.set()
        process.join(30)
    with only_one(root):
        pass


def test_without_a_checkout_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"is not a checkout of Tenantgate$"), only_one(tmp_path):
        pass
