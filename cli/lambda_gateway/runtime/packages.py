"""The packages that Lambda's Python runtime includes."""

from __future__ import annotations

import contextlib
from pathlib import Path

_RUNTIME_CLIENT = ("awslambdaric", "snapshot_restore_py.py", "simplejson")
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


def runtime_packages() -> Path:
    """Return a folder of links to awslambdaric and boto3, the only packages that Lambda's Python runtime includes."""
    import awslambdaric  # noqa: PLC0415  (only isolated functions need its folder)

    site = Path(awslambdaric.__file__).resolve().parent.parent
    folder = site / ".lambda-runtime"
    folder.mkdir(exist_ok=True)
    wanted = [*_RUNTIME_CLIENT, *_SDK, *(found.name for found in site.glob("runtime_client*.so"))]
    for name in wanted:
        link = folder / name
        if (site / name).exists() and not link.exists():
            with contextlib.suppress(FileExistsError):
                link.symlink_to(site / name)
    return folder
