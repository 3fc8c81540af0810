"""docs/DEPLOYMENT.md: its commands, its parameters and its costs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_gateway.template.document import load_template
from tenantgate_cli.paths import ROOT, TEMPLATE
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.template.nested import nested

pytestmark = pytest.mark.xdist_group("stacks")

PAGE = (ROOT / "docs" / "DEPLOYMENT.md").read_text(encoding="utf-8")
# In blocks and in tables.
OURS = set(re.findall(r"\.venv/bin/tenantgate ([^\n`)]+)", PAGE))
# tests/functional/jwks runs it with a provider, tests/functional/command_line/test_versions.py the others with moto.
ELSEWHERE = {"jwks bundle", *(command for command in OURS if command.startswith("versions prune"))}
HOURS = 730
Json = dict[str, Any]


def run(command: str, stack: RunningStack, folder: Path) -> subprocess.CompletedProcess[str]:
    line = f"{shlex.quote(sys.executable)} -m tenantgate_cli {command}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}:{ROOT / 'layers' / 'shared'}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
    }
    return subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_commands_of_the_page(gateway: RunningStack, tmp_path: Path) -> None:
    data = f"--data-dir {shlex.quote(str(gateway.data_dir))}"
    token = run(f"token {data}", gateway, tmp_path)
    (tmp_path / "token.txt").write_text(token.stdout)
    # The file of the page with the two values that it leaves to the reader.
    params = tmp_path / "infra" / "params" / "small.yaml"
    params.parent.mkdir(parents=True)
    given = (ROOT / "infra" / "params" / "small.yaml").read_text(encoding="utf-8")
    params.write_text(re.sub(r"^# (Oidc\w+: )", r"\1", given, flags=re.MULTILINE))
    for command in OURS - ELSEWHERE:
        written = command.replace("https://auth.example.com", gateway.url)
        name = written.partition(" ")[0]
        if name in {"smoke", "doctor"}:
            written = written.replace(name, f"{name} {data}", 1)
        if "--template" in command:
            written += f" --template-file {shlex.quote(str(TEMPLATE))}"
        done = run(written, gateway, tmp_path)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert done.stdout.strip()

    assert {command.partition(" ")[0] for command in OURS} == {"keys", "doctor", "smoke", "jwks", "versions"}
    assert ELSEWHERE < OURS


def parameters() -> Json:
    document: Any = load_template(TEMPLATE)
    found: Json = document["Parameters"]
    return found


def test_every_parameter_of_the_page_is_one_of_the_template() -> None:
    aws, _, _ = PAGE.partition("\n## Railway")
    outputs: Any = load_template(TEMPLATE)
    named = set(re.findall(r"`([A-Z][a-z]+[A-Z]\w*|Egress|Preset)(?::[^`]*)?`", aws))
    edge = nested("edge")
    known = parameters().keys() | outputs["Outputs"].keys() | edge.parameters.keys()

    assert named - known == set()
    overrides = re.search(r"--parameter-overrides (.*?)\n```", PAGE, re.DOTALL)
    assert overrides is not None
    given = {word.partition("=")[0] for word in overrides[1].replace("\\", " ").split()}
    needed = {name for name, body in edge.parameters.items() if "Default" not in body}
    assert needed <= given <= edge.parameters.keys()


def cost_row(begin: str) -> list[str]:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {begin}")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def amount(cell: str) -> float:
    return float(cell.rpartition(": ")[2]) if re.fullmatch(r"(.*: )?[\d.]+", cell) else 0.0


def preset_file(name: str) -> Json:
    import yaml  # noqa: PLC0415  (only here)

    found: Json = yaml.safe_load((ROOT / "infra" / "params" / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def alarms(**parameters: str) -> int:
    watch = nested("observability")
    usual = {name: str(body.get("Default", "")) for name, body in watch.parameters.items()}
    return len(watch.resources("AWS::CloudWatch::Alarm", **(usual | {"DeadLetterQueueName": "dead"} | parameters)))


def test_the_quantities_of_the_costs_are_those_of_the_templates() -> None:
    document: Any = load_template(TEMPLATE)
    resources: Json = document["Resources"]
    ours = {"ClusterIdentifier": "c", "ProxyName": "p", "CacheName": "v", "RotationFunctionName": "r"}
    releases = sum(name.startswith("Release") and name.endswith("Alarm") for name in resources)
    keys = [len(nested(name).resources("AWS::KMS::Key")) for name in ("observability", "data", "audit")]
    snapshots = [
        name
        for name, body in resources.items()
        if body["Type"] == "AWS::Serverless::Function" and "SnapStart" not in body["Properties"]
    ]

    small, production = (float(preset_file(name)["MinAcu"]) for name in ("small", "production"))
    aurora = cost_row("Aurora Serverless v2")
    assert amount(aurora[2]) == pytest.approx(0.12 * small * HOURS, abs=0.01)
    assert amount(aurora[3]) == pytest.approx(0.12 * 2 * production * HOURS, abs=0.01)
    external = keys[0] + keys[2]
    expected = [external, sum(keys), sum(keys)]
    assert cost_row("KMS keys")[1:] == [f"{count} keys: {count:.2f}" for count in expected]
    counts = [alarms(), alarms(**ours), alarms(**ours) + releases]
    assert cost_row("alarms")[1:] == [f"{count}: {count / 10:.2f}" for count in counts]
    assert (
        cost_row("SnapStart, 1 GB")[3]
        == f"{len(snapshots)} functions: {len(snapshots) * 0.0000015046 * HOURS * 3600:.2f}"
    )


@pytest.mark.parametrize("column", [1, 2, 3])
def test_the_sum_of_the_costs(column: int) -> None:
    rows = PAGE.partition("### Costs")[2].partition("\n| together")[0].splitlines()
    cells = [line.strip("|").split("|")[column + 1].strip() for line in rows if line.startswith("| ")][1:]

    assert sum(map(amount, cells)) == pytest.approx(amount(cost_row("together")[column]), abs=0.01)
