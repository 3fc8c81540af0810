"""The words with which a user can call `tenantgate` at this prompt."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from tenantgate_cli.paths import shown

NAME = "tenantgate"
# A command line in a text: the name, unless a path precedes it, then a subcommand or an option.
_CALL = re.compile(rf"(?<![\w./-]){NAME}(?= (?:-|[a-z]))")


def program() -> str:
    """Return `tenantgate` if the user's shell finds this installation by that name, otherwise the path of its script.

    `make` puts `.venv/bin` on the PATH of its recipes, but not on the PATH of the shell that the user returns to.
    """
    script = Path(sys.prefix) / "bin" / NAME
    found = shutil.which(NAME)
    if "MAKELEVEL" not in os.environ and found is not None and Path(found).resolve() == script.resolve():
        return NAME
    return shown(script)


def as_called(text: str) -> str:
    """Return `text` with each command line `tenantgate …` as the user can paste it."""
    return _CALL.sub(lambda _: program(), text)
