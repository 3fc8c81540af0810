"""The memory limit of a function's process.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html

Lambda ends an environment that uses more. Here the resident memory is sampled, so a short peak may go unnoticed.
"""

from __future__ import annotations

import asyncio

import psutil

_MEGABYTE = 1024 * 1024
_INTERVAL = 0.1


async def memory_exceeded(pid: int, megabytes: int) -> int:
    """Return the used megabytes as soon as the process and its children use more than `megabytes`.

    Return 0 if the process has ended.
    """
    process = psutil.Process(pid)
    while True:
        try:
            used = sum(part.memory_info().rss for part in (process, *process.children()))
        except psutil.Error:
            return 0
        if used > megabytes * _MEGABYTE:
            return -(-used // _MEGABYTE)
        await asyncio.sleep(_INTERVAL)
