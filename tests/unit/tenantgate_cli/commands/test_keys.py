"""`tenantgate keys new`."""

import json

from typer.testing import CliRunner

from tenantgate.crypto.sealing import Sealer
from tenantgate_cli.main import app

WORDS = (
    "  → put it first: COOKIE_SEALING_KEYS=<the new key>,<the keys of before>, in Secrets Manager or the environment\n"
    "  → keep the old keys: what they sealed still opens. An old key may go JWT_MAX_LIFETIME_MINUTES and 10 minutes "
    "after every process has the new one (70 minutes by default)\n"
    "  → docs/OPERATIONS.md has the whole procedure\n"
)


def test_standard_output_has_only_the_new_key() -> None:
    printed = CliRunner().invoke(app, ["keys", "new"])
    assert (printed.exit_code, printed.stderr) == (0, WORDS)
    Sealer([printed.stdout.strip()])
    assert printed.stdout != CliRunner().invoke(app, ["keys", "new"]).stdout


def test_a_program_gets_the_key_as_json() -> None:
    printed = CliRunner().invoke(app, ["keys", "new", "--json"])
    result = json.loads(printed.stdout)
    assert (printed.stderr, result["ok"], len(result["steps"])) == ("", True, 3)
    Sealer([result["key"]])
