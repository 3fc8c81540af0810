"""`tenantgate token`: an access token of the demo user."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.demo_sign_in import demo_access_token


def access_token(data_dir: Path) -> str:
    """Sign in at the running stack. Raises Failure if none is running, or if it has another provider."""
    url = DataFolder(data_dir).running().get("url")
    if not url:
        raise Failure("no stack is running here", "make dev   (in another terminal)")
    return demo_access_token(url)
