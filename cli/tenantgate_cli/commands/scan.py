"""Lint the templates in infra/ and the migrations, and scan all templates for security faults, for `make check`.

python -m tenantgate_cli.commands.scan
"""

from __future__ import annotations

import sys

from tenantgate_cli.build.migrations.sql import migration_sql
from tenantgate_cli.build.migrations.squawk import findings, problems, read_accepted, without_limits
from tenantgate_cli.build.scan import lint, scan
from tenantgate_cli.build.uv import UvMissing
from tenantgate_cli.console import Failure, show_failure


def main() -> int:
    try:
        results = [lint(), scan()]
        migrations = list(migration_sql())
        in_migrations = [*problems(findings(migrations), read_accepted()), *without_limits(migrations)]
    except UvMissing as error:
        sys.exit(str(error))
    except Failure as failure:
        show_failure(failure)
        return 1
    for done in results:
        sys.stdout.write(done.stdout)
    for problem in in_migrations:
        show_failure(Failure(problem.problem, problem.remedy))
    sys.stdout.write(f"{len(in_migrations)} finding{'' if len(in_migrations) == 1 else 's'} in the migrations\n")
    return max(int(bool(in_migrations)), *(done.returncode for done in results))


if __name__ == "__main__":
    sys.exit(main())
