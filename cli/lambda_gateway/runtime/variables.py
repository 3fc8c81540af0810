"""The environment variables of a function's process."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambda_gateway.aws import REGION


def process_variables(
    own: Mapping[str, str],
    path: Sequence[Path],
    *,
    handler: str,
    name: str,
    memory: int,
    address: str,
    task_root: Path,
) -> dict[str, str]:
    """Return all variables of the process: the function's own, those of Lambda, and those that Python itself needs.

    path       the folders from which modules are imported
    address    host and port of the runtime API
    task_root  /var/task on Lambda
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    region = own.get("AWS_REGION", REGION)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        **own,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "LAMBDA_TASK_ROOT": str(task_root),
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{secrets.token_hex(16)}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{version}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "_HANDLER": handler,
    }
