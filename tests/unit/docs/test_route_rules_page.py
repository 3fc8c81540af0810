"""The page on route rules says what the code does."""

import re

from tenantgate.route_rules.file import load_rules
from tenantgate.route_rules.file_checks import API_KEYS, ROUTE_KEYS
from tenantgate_cli.paths import ROOT

PAGE = (ROOT / "docs" / "ROUTE_RULES.md").read_text(encoding="utf-8")


def test_its_example_is_a_good_file_with_every_key() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)

    assert load_rules(example).for_api("a1b2c3d4e5").name == "orders"
    for key in (*API_KEYS, *ROUTE_KEYS):
        assert re.search(rf"^\[?\[?(api\.)?{key}\b", example, flags=re.MULTILINE), key


def test_it_lists_every_reason_of_a_denial() -> None:
    source = (ROOT / "layers/shared/tenantgate/route_rules/engine.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'(?:Decision\(False, |_denied\()"(\w+)"', source))

    assert len(reasons) == 10
    assert [reason for reason in reasons if f"`{reason}`" not in PAGE] == []
