import pytest

from tenantgate.web.pages.moments import moment, relative


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (1, "in 1 s"),
        (59, "in 59 s"),
        (60, "in 1 min"),
        (3599, "in 59 min"),
        (3600, "in 1 h"),
        (3660, "in 1 h 1 min"),
        (86_399, "in 23 h 59 min"),
        (86_400, "in 1 day"),
        (14 * 86_400, "in 14 days"),
        (-1, "1 s ago"),
        (-119, "1 min ago"),
        (-7500, "2 h 5 min ago"),
        (-172_800, "2 days ago"),
    ],
)
def test_the_words_for_a_time(seconds: int, words: str) -> None:
    assert relative(seconds) == words


def test_a_moment_is_in_utc() -> None:
    assert moment(1_795_291_200.9, now=1_795_290_000.2) == (
        "2026-11-21T20:00:00+00:00",
        "2026-11-21 20:00:00 UTC",
        "in 20 min",
    )


@pytest.mark.parametrize("seconds", [1e30, -1e30, float("inf"), float("nan"), 10**400, -(10**400)])
def test_a_time_outside_the_calendar_has_no_words(seconds: float) -> None:
    assert moment(seconds, now=0) is None
