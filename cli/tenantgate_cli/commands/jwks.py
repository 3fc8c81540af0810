"""`tenantgate jwks bundle`: bundle the key sets of the issuers in the caller's environment."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.build.jwks_bundle import bundle
from tenantgate_cli.console import say
from tenantgate_cli.stack.variables import environment


def run(layer: Path) -> None:
    """Write the key sets and print one line for each issuer. Raises Failure."""
    for bundled in bundle(environment(), layer=layer):
        if bundled.by_hand:
            say(f"{bundled.issuer}: its keys come only from {bundled.file}, which was not changed")
            continue
        if bundled.file is None:
            say(f"{bundled.issuer}: has no file; its keys are fetched at run time")
            continue
        skipped = f", {bundled.skipped} skipped" if bundled.skipped else ""
        say(f"{bundled.issuer}: {bundled.keys} keys{skipped} → {bundled.file}")
