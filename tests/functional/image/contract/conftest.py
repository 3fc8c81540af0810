"""The suite's container is the image. Tests of only the gateway run in `tests/contract/`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.image.engine import Engine
from tests.fixtures.image.stack import image_stack
from tests.fixtures.programs.requires import requires_image_tools
from tests.fixtures.stack.commands import RunningStack


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    again = [item for item in ours if _asks_only_the_gateway(item)]
    for item in ours:
        item.add_marker(requires_image_tools)
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in again]


def _asks_only_the_gateway(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    if hasattr(item, "callspec") and "gateway" in item.callspec.params.values():
        return True
    return "gateway" in item.fixturenames and not {"container", "targets"} & set(item.fixturenames)


@pytest.fixture(scope="session")
def container(image: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with image_stack(image, tmp_path_factory.mktemp("image-stack")) as stack:
        yield stack
