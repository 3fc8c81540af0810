"""Build or validate the template with AWS SAM CLI, for `make build` and `make check`.

python -m tenantgate_cli.commands.sam build [--arch arm64|x86_64] [--build-dir .aws-sam/build]
python -m tenantgate_cli.commands.sam validate
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from tenantgate_cli.build.bundles import bundle_hashes
from tenantgate_cli.build.sam import BUILD, Architecture, build, validate
from tenantgate_cli.build.uv import UvMissing


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tenantgate_cli.commands.sam", description="Build or validate the template with AWS SAM CLI."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build_command = commands.add_parser("build", help="build the layer and the functions")
    build_command.add_argument("--arch", choices=get_args(Architecture.__value__), default="arm64")
    build_command.add_argument("--build-dir", type=Path, default=BUILD)
    commands.add_parser("validate", help="lint the template")
    given = parser.parse_args()
    folder = given.build_dir.absolute() if given.command == "build" else None
    try:
        done = build(given.arch, folder) if folder is not None else validate()
    except UvMissing as error:
        sys.exit(str(error))
    sys.stdout.write(done.stdout)
    if folder is not None and done.returncode == 0:
        print("\nSHA-256 of each bundle (equal for equal sources):")
        for name, digest in bundle_hashes(folder).items():
            print(f"  {digest}  {name}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
