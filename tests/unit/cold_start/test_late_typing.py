"""The authorizer imports `typing` late, but a module that needs it gets the complete module."""

import sys
import threading
import typing
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from tenantgate.cold_start.late_typing import LateTyping, use_late_typing


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delitem(sys.modules, "typing")
    use_late_typing()
    return sys.modules["typing"]


def run(source: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(source, names)
    return names


def test_asking_for_a_type_checker_or_a_union_imports_nothing(late: ModuleType) -> None:
    names = run("import typing\nfrom typing import TYPE_CHECKING\nBuffer = typing.Union[bytes, bytearray]\n")

    assert names["TYPE_CHECKING"] is False
    assert sys.modules["typing"] is late
    assert isinstance(late, LateTyping)


@pytest.mark.parametrize(
    "source",
    ["from typing import Protocol", "import typing\nProtocol = typing.Protocol", "class Box[T]: pass"],
    ids=["from", "attribute", "generic-class"],
)
def test_code_that_needs_more_gets_the_real_module(late: ModuleType, source: str) -> None:
    names = run(source)

    assert sys.modules["typing"] is not late
    assert sys.modules["typing"].__spec__ is not None
    if "Protocol" in names:
        assert names["Protocol"] is sys.modules["typing"].Protocol
    assert late.Protocol is sys.modules["typing"].Protocol


def test_threads_that_need_it_at_once_get_one_real_module(late: ModuleType) -> None:
    start = threading.Barrier(8)

    def need(_: int) -> object:
        start.wait()
        return late.Protocol

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(need, range(8))) == {sys.modules["typing"].Protocol}


def test_names_that_typing_lacks_are_missing_as_usual(late: ModuleType) -> None:
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        run("from typing import Nothing")
    with pytest.raises(AttributeError):
        late.__wrapped__  # noqa: B018


def test_nothing_changes_where_typing_is_imported_already() -> None:
    use_late_typing()

    assert sys.modules["typing"] is typing
