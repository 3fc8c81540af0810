"""docs/AUTH_CONFIGURATION.md: its commands on a running stack, and its table of claims."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate.authorizer.environment import bearer_credential
from tenantgate.errors.tokens import TokenError
from tenantgate.tokens import discovery
from tests.fixtures.docs.entered import ROOT
from tests.fixtures.providers.recipe import RECIPES, RecipeProvider, serving
from tests.fixtures.stack.commands import RunningStack

pytestmark = pytest.mark.xdist_group("stacks")

PAGE = (ROOT / "docs" / "AUTH_CONFIGURATION.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\.venv/bin/tenantgate (.*)$", PAGE, re.MULTILINE)
CLAIMS = re.findall(r"^\| `(\w+)` \| (yes|no) \|", PAGE.split("## Claims that a token needs")[1], re.MULTILINE)
GENERIC = next(recipe for recipe in RECIPES if recipe.name == "generic")


def test_the_commands_of_the_page(gateway: RunningStack, tmp_path: Path) -> None:
    for command in COMMANDS:
        program = f"{sys.executable} -m tenantgate_cli"
        name, _, rest = command.partition(" ")
        line = f"{program} {name} --data-dir '{gateway.data_dir}' {rest}"
        done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    assert len(COMMANDS) == 4
    assert (tmp_path / "token.txt").read_text().count(".") == 2
    expired = tmp_path / "expired.txt"
    arguments = ["explain", "--data-dir", str(gateway.data_dir), "--token-file", str(expired)]
    explain = [sys.executable, "-m", "tenantgate_cli", *arguments]
    done = subprocess.run(explain, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "expired" in done.stdout


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecipeProvider]:
    monkeypatch.setattr(discovery, "_directories", {})
    with serving(GENERIC, tmp_path, monkeypatch, now=int(time.time())) as running:
        yield running


@pytest.mark.parametrize(("claim", "required"), CLAIMS)
def test_a_token_needs_the_claims_of_the_table(provider: RecipeProvider, claim: str, required: str) -> None:
    token = provider.access_token({"claims": f'{{"{claim}": null}}'})
    credential = bearer_credential({"ENVIRONMENT": "production", **provider.settings})
    if required == "no":
        assert credential.principal(token).tenant_id
    else:
        with pytest.raises(TokenError):
            credential.principal(token)


def test_the_table_has_the_claims_that_are_required() -> None:
    needed = {claim for claim, required in CLAIMS if required == "yes"}
    assert needed == {"iss", "aud", "sub", "exp", "iat", "tenant_id"}
