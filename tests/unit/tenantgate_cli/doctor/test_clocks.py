"""The judgement of clock skew by JWT_LEEWAY_SECONDS."""

from __future__ import annotations

import pytest

from tenantgate_cli.doctor.clocks import judged


@pytest.mark.parametrize(
    ("skew", "uncertain", "leeway", "close", "status"),
    [
        (0.0, 0.0, 60, None, "ok"),
        (29.0, 0.0, 60, None, "ok"),
        (-31.0, 0.0, 60, None, "warning"),
        (61.0, 0.0, 60, None, "failed"),
        (-61.0, 0.0, 60, None, "failed"),
        # The measurement itself may explain it.
        (61.0, 2.0, 60, None, "warning"),
        (1.5, 0.0, 60, 1.0, "warning"),
        (1.5, 1.0, 60, 1.0, "ok"),
        (61.0, 0.0, 60, 1.0, "failed"),
        (0.9, 0.5, 0, None, "ok"),
        (2.0, 0.5, 0, None, "failed"),
    ],
)
def test_the_thresholds_follow_the_leeway(
    skew: float, uncertain: float, leeway: int, close: float | None, status: str
) -> None:
    finding = judged(skew, uncertain=uncertain, leeway=leeway, close=close)

    assert finding.status == status
    assert bool(finding.fix) is (status != "ok")


def test_the_words_name_the_clock_that_is_ahead() -> None:
    assert judged(5.0, uncertain=0.1, leeway=60).found == "5.0 s ahead of this machine (±0.1 s)"
    assert judged(-5.0, uncertain=0.1, leeway=60).found == "5.0 s behind this machine (±0.1 s)"
