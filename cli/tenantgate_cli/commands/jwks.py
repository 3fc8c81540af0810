"""`tenantgate jwks bundle`: bundle the key sets of the issuers in the caller's environment."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.build.jwks_bundle import Bundled, bundle
from tenantgate_cli.console import say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.variables import environment


def run(layer: Path, *, as_json: bool = False) -> None:
    """Write the key sets and print one line for each issuer. Raises Failure."""
    bundles = bundle(environment(), layer=layer)
    if as_json:
        print_result(issuers=[_members(bundled) for bundled in bundles])
        return
    for bundled in bundles:
        if bundled.by_hand:
            say(f"{bundled.issuer}: its keys come only from {bundled.file}, which was not changed")
            continue
        if bundled.file is None:
            say(f"{bundled.issuer}: has no file; its keys are fetched at run time")
            continue
        skipped = f", {bundled.skipped} skipped" if bundled.skipped else ""
        say(f"{bundled.issuer}: {bundled.keys} keys{skipped} → {bundled.file}")


def _members(bundled: Bundled) -> dict[str, object]:
    """Return an issuer's result. `written` is false for an issuer without a file or whose file is written by hand."""
    written = bundled.file is not None and not bundled.by_hand
    file = None if bundled.file is None else str(bundled.file)
    return {
        "issuer": bundled.issuer,
        "file": file,
        "written": written,
        "keys": bundled.keys,
        "skipped": bundled.skipped,
    }
