"""Distribution of the tests over pytest-xdist's workers (`make test`), of which there is one more than processors.

A module's tests stay on one worker, so that its fixtures are set up once; so do the tests of a group
(`@pytest.mark.xdist_group("stacks")`: those that use the running stacks). Tests marked `timed` measure time: they run
when every other test has ended, on the one worker that is left, which doesn't collect the garbage of the others
meanwhile. In one process (`-n 0`) tests run in the order of collection.
"""

from __future__ import annotations

import gc
import os

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

TIMED = "timed"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The controller knows the tests only by their ids; xdist appends the group of a test to its id.
    for item in items:
        if item.get_closest_marker(TIMED) is not None:
            item.add_marker(pytest.mark.xdist_group(TIMED))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker(TIMED) is not None:
        # A worker keeps what thousands of tests left: looking through that takes tenths of a second, inside a
        # measurement, too.
        gc.collect()
        gc.freeze()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    # Many tests wait for a server or a browser.
    return (os.process_cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    # Modules in order of collection: the slow kinds of tests come first, and many short unit tests fill the end.
    config.option.loadscopereorder = False
    return TimedLastScheduling(config, log)


class TimedLastScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Assign whole groups and modules; the timed tests last, while no other test runs."""

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.rsplit("]", 1)[-1]
        return name.rsplit("@", 1)[1] if "@" in name else nodeid.split("::", 1)[0]

    def _reschedule(self, node: WorkerController) -> None:
        if list(self.workqueue) != [TIMED] or node.shutting_down or len(self.nodes) == 1:
            super()._reschedule(node)
        elif any(not other.shutting_down for other in self.nodes if other is not node):
            # It ends after the tests that it has; the last of the others waits for that.
            node.shutdown()

    def remove_node(self, node: WorkerController) -> str | None:
        crashed: str | None = super().remove_node(node)
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _assign_work_unit(self, node: WorkerController) -> None:
        # A worker that crashed gives its unit back behind them.
        if TIMED in self.workqueue:
            self.workqueue.move_to_end(TIMED)
        super()._assign_work_unit(node)
