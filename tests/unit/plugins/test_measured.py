"""The table of coverage, and that each package has a floor."""

from __future__ import annotations

import pytest

from tests.plugins.measured import ROOT, Row, Share, floors, package_of, rows_of

# The packages that decide about a request.
SECURITY_CORE = {"tokens", "identity", "route_rules", "authorizer", "sessions"}


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("layers/shared/tenantgate/tokens/keys.py", "tokens"),
        ("layers/shared/tenantgate/openid_provider/protocol/keys.py", "openid_provider"),
        ("layers/shared/tenantgate/context.py", "tenantgate"),
        ("functions/health/routes.py", "functions"),
        ("container/app.py", "container"),
        ("cli/lambda_gateway/events/rest.py", "lambda_gateway"),
    ],
)
def test_a_module_counts_towards_its_package(path: str, package: str) -> None:
    assert package_of(path) == package


def test_a_row_is_a_package_of_all_its_modules() -> None:
    def summary(*counts: int) -> dict[str, object]:
        names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
        return {"summary": dict(zip(names, counts, strict=True))}

    report = {
        "files": {
            "layers/shared/tenantgate/tokens/keys.py": summary(9, 10, 3, 4),
            "layers/shared/tenantgate/tokens/jws.py": summary(10, 10, 4, 4),
            "container/app.py": summary(1, 2, 0, 0),
        }
    }

    assert rows_of(report, {"tokens": 95.0}) == [
        Row("container", Share(1, 2), Share(0, 0), 100.0),
        Row("tokens", Share(19, 20), Share(7, 8), 95.0),
    ]


@pytest.mark.parametrize(
    ("statements", "branches", "is_below"),
    [
        pytest.param(Share(19, 20), Share(19, 20), False, id="at-the-floor"),
        pytest.param(Share(18, 20), Share(20, 20), True, id="statements-below"),
        pytest.param(Share(20, 20), Share(18, 20), True, id="branches-below"),
        pytest.param(Share(20, 20), Share(0, 0), False, id="without-branches"),
    ],
)
def test_statements_and_branches_must_both_reach_the_floor(statements: Share, branches: Share, is_below: bool) -> None:
    assert Row("tokens", statements, branches, 95.0).is_below is is_below


def test_every_package_has_a_floor_and_no_other_name_has() -> None:
    folders = [
        folder
        for parent in (ROOT / "layers" / "shared" / "tenantgate", ROOT / "cli")
        for folder in parent.iterdir()
        if any(folder.rglob("*.py"))
    ]

    assert floors().keys() == {folder.name for folder in folders} | {"tenantgate", "functions", "container"}


def test_the_security_core_has_the_highest_floors() -> None:
    assert {package for package, floor in floors().items() if floor >= 95} >= SECURITY_CORE
