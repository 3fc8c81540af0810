"""Lint the templates in infra/ and scan all templates for security faults, for `make check`.

python -m tenantgate_cli.commands.scan
"""

from __future__ import annotations

import sys

from tenantgate_cli.build.scan import lint, scan
from tenantgate_cli.build.uv import UvMissing


def main() -> int:
    try:
        results = [lint(), scan()]
    except UvMissing as error:
        sys.exit(str(error))
    for done in results:
        sys.stdout.write(done.stdout)
    return max(done.returncode for done in results)


if __name__ == "__main__":
    sys.exit(main())
