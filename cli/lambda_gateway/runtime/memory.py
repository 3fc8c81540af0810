"""The memory limit of a function's process.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html

Lambda ends an environment that uses more. Here the resident memory of the process is sampled, without its children, so
a short peak may go unnoticed. Looking for children would read every process of the machine, for each function.
"""

from __future__ import annotations

import asyncio

import psutil

_MEGABYTE = 1024 * 1024
_INTERVAL = 0.25


async def memory_exceeded(pid: int, megabytes: int) -> int:
    """Return the used megabytes as soon as the process uses more than `megabytes`, and 0 if it has ended."""
    try:
        process = psutil.Process(pid)
        while True:
            used = process.memory_info().rss
            if used > megabytes * _MEGABYTE:
                return -(-used // _MEGABYTE)
            await asyncio.sleep(_INTERVAL)
    except psutil.Error:
        return 0
