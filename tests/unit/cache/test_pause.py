"""After a failure no caller tries for a while, then one at a time."""

from tenantgate.cache.pause import Pause


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_failure_everyone_is_admitted() -> None:
    pause = Pause(1.0)

    assert [pause.admits() for _ in range(3)] == [True, True, True]


def test_after_a_failure_one_tries_in_each_period() -> None:
    clock = Clock()
    pause = Pause(1.0, clock=clock)
    pause.failed()

    assert not pause.admits()
    clock.now += 0.99
    assert not pause.admits()
    clock.now += 0.01
    assert [pause.admits() for _ in range(3)] == [True, False, False]
    # The one who tried was cancelled, and reports nothing.
    clock.now += 1.0
    assert [pause.admits() for _ in range(2)] == [True, False]


def test_a_success_ends_the_pause_and_a_failure_begins_it_again() -> None:
    clock = Clock()
    pause = Pause(1.0, clock=clock)
    pause.failed()
    clock.now += 1.0
    assert pause.admits()
    pause.failed()
    assert not pause.admits()
    pause.succeeded()

    assert [pause.admits() for _ in range(3)] == [True, True, True]
