"""The command: `python -m tenantgate_cli.checks.structure [ROOT]`. Exit status 1 if something is missing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tenantgate_cli.checks.structure.report import problems_in
from tenantgate_cli.console import Failure, show_failure


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tenantgate_cli.checks.structure", description="Find what endpoints and domains lack."
    )
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the checkout; default: this folder")
    problems = problems_in(parser.parse_args(arguments).root.resolve())
    for problem in problems:
        show_failure(Failure(f"{problem.file}: {problem.problem}", problem.remedy))
    sys.stdout.write(f"{len(problems)} finding{'' if len(problems) == 1 else 's'} of the structure check\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
