"""The figures of the silent issuer's benchmark."""

from __future__ import annotations

import httpx2
import pytest

from benchmarks.silent_issuer import _Samples, table


async def _response(status: int, code: str = "") -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"code": code}} if code else {})


async def _no_response() -> httpx2.Response:
    raise httpx2.ReadTimeout("too slow")


@pytest.mark.anyio
async def test_outcomes_are_counted_by_status_and_code() -> None:
    samples = _Samples()
    for request in (_response(302), _response(302), _response(504, "SYS_004"), _no_response()):
        await samples.take(request)
    assert samples.figure("a sign-in").outcomes == {"302": 2, "504 SYS_004": 1, "ReadTimeout": 1}


def test_the_table_has_the_middle_the_99th_percentile_and_the_slowest() -> None:
    samples = _Samples()
    samples.milliseconds = [float(number) for number in range(1, 201)]
    samples.outcomes["302"] = 200
    assert "| a sign-in | 101 | 199 | 200 | 200 × 302 |" in table([samples.figure("a sign-in")])
