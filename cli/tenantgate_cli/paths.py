"""The places in a checkout that commands read from and write to."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
OPENAPI = ROOT / "docs" / "openapi.json"
RULES = ROOT / "functions" / "authorizer" / "rules.toml"
# Relative to the working directory, as users see them in the help text.
LAYER = Path("layers/shared")
DEFAULT_DATA_DIR = Path(".local")


def shown(path: Path) -> str:
    """Return `path` relative to the working directory if it is below it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
