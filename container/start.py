"""`python -m container.start`: migrate as `python -m container.migrate` does, then serve under the same process id.

The server never has the owner's URL.
"""

import os
import sys
from typing import NoReturn

from container.migrate import migrate
from tenantgate.settings.server_variables import server_variables


def main() -> NoReturn:
    migrated = migrate()
    variables = server_variables(migrated.application, migrated.owner)
    # Replaces the process image, so that an attacker finds nothing of this process in the server's memory.
    os.execve(sys.executable, [sys.executable, "-m", "container"], variables)  # noqa: S606


if __name__ == "__main__":
    main()
