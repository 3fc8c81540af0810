"""The cost of the route rules: loading, matching and compiling a policy, by the number of routes.

    python -m benchmarks.route_rules [--json] [--write]

An API has N routes in services of five, with literals and parameters; each service has its own scopes. The caller has
the scopes of three services. The best of several rounds counts, because other load on the machine slows all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.report import replace_section
from tenantgate.authorizer.iam_policy import compile_policy
from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.authorizer.policy_compiler import PolicyCompiler
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules, RuleSet
from tenantgate.route_rules.file import as_json, load_rules
from tenantgate_cli.paths import ROOT

SIZES = (10, 1_000, 10_000)
_ROUTES = (
    ("GET /s{n}/items", "read"),
    ("POST /s{n}/items", "write"),
    ("GET /s{n}/items/{{id}}", "read"),
    ("DELETE /s{n}/items/{{id}}", "admin"),
    ("GET /s{n}/items/{{id}}/lines/{{line}}", "read"),
)
_NOW = 1_800_000_000.0
_ARN = MethodArn.parse("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/GET/s1/items")


class Figure(NamedTuple):
    """Times in microseconds unless the name says otherwise."""

    routes: int
    toml_ms: float
    json_ms: float
    checked_ms: float
    match: float
    no_match: float
    decide: float
    prepare_ms: float
    policy_first: float
    policy_again: float
    policy_of_all: float
    characters: int


def rules_text(count: int) -> str:
    lines = ["version = 1", "[[api]]", 'name = "bench"', 'ids = ["*"]', "every_route_listed = true"]
    for number in range(count):
        route, right = _ROUTES[number % 5]
        service = number // 5
        lines += ["[[api.route]]", f'route = "{route.format(n=service)}"', f'scopes = ["s{service}:{right}"]']
    return "\n".join(lines) + "\n"


def measure(rounds: int = 5) -> list[Figure]:
    return [_measure(count, rounds) for count in SIZES]


def _measure(count: int, rounds: int) -> Figure:
    text = rules_text(count)
    compiled = as_json(text)
    loaded = load_rules(compiled)
    checked = json.dumps(loaded.checked())
    rules = loaded.for_api("a1b2c3d4e5")
    services = max(1, count // 5)
    held = {services * part // 4 for part in (1, 2, 3)}
    caller = _principal(f"s{n}:{right}" for n in held for right in ("read", "write"))
    everything = _principal(f"s{n}:{right}" for n in range(services) for right in ("read", "write", "admin"))
    paths = [f"/s{services * part // 50}/items/{part}/lines/7" for part in range(50)]
    missing = [f"/s{services * part // 50}/items/{part}/nothing" for part in range(50)]
    policy = compile_policy(rules, caller, arn=_ARN, now=_NOW)
    assert policy.complete

    def first(principal: Principal) -> Callable[[], object]:
        def compile_once() -> object:
            compiler = PolicyCompiler(rules)
            began = time.perf_counter()
            compiler.resources(compiler.requirements.met(principal, _NOW))
            return time.perf_counter() - began

        return compile_once

    return Figure(
        routes=count,
        toml_ms=_best(lambda: load_rules(text), 3) / 1e3,
        json_ms=_best(lambda: load_rules(compiled), 3) / 1e3,
        checked_ms=_best(lambda: RuleSet.from_checked(json.loads(checked)), 3) / 1e3,
        match=_best(lambda: [rules.match("GET", path) for path in paths], rounds * 20) / len(paths),
        no_match=_best(lambda: [rules.match("GET", path) for path in missing], rounds * 20) / len(missing),
        decide=_best(lambda: [_decide(rules, path, caller) for path in paths], rounds * 20) / len(paths),
        prepare_ms=_best(lambda: PolicyCompiler(rules), 3) / 1e3,
        policy_first=min(float(str(first(caller)())) for _ in range(rounds)) * 1e6,
        policy_again=_best(lambda: compile_policy(rules, caller, arn=_ARN, now=_NOW), rounds * 20),
        policy_of_all=min(float(str(first(everything)())) for _ in range(rounds)) * 1e6,
        characters=len(json.dumps(policy.document, separators=(",", ":"))),
    )


def _decide(rules: ApiRules, path: str, caller: Principal) -> object:
    return rules.decide("GET", path, caller, now=_NOW)


def _principal(scopes: object) -> Principal:
    assert hasattr(scopes, "__iter__")
    return Principal("u", "org-1", "https://issuer.example.test", frozenset(scopes), int(_NOW) + 60)


def _best(work: Callable[[], object], rounds: int) -> float:
    """Return the time of the fastest run in microseconds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1e6


def table(figures: list[Figure]) -> str:
    """Format the figures as Markdown."""
    rows: tuple[tuple[str, Callable[[Figure], str]], ...] = (
        ("load the file, TOML, ms", lambda f: f"{f.toml_ms:.1f}"),
        ("load the file, JSON, ms", lambda f: f"{f.json_ms:.1f}"),
        ("load checked rules, as in the bundle, ms", lambda f: f"{f.checked_ms:.1f}"),
        ("match a request, µs", lambda f: f"{f.match:.1f}"),
        ("match a request without a rule, µs", lambda f: f"{f.no_match:.1f}"),
        ("decide on a request, µs", lambda f: f"{f.decide:.1f}"),
        ("prepare for policies, once, ms", lambda f: f"{f.prepare_ms:.1f}"),
        ("compile a policy, first caller with these permissions, µs", lambda f: f"{f.policy_first:.0f}"),
        ("compile a policy, next callers with the same permissions, µs", lambda f: f"{f.policy_again:.0f}"),
        ("compile the policy of a caller with all permissions, µs", lambda f: f"{f.policy_of_all:.0f}"),
        ("size of the caller's policy, characters", lambda f: str(f.characters)),
    )
    lines = [
        "| " + " | ".join(["", *(f"{figure.routes:,} routes" for figure in figures)]) + " |",
        "|---" + "|---:" * len(figures) + "|",
    ]
    lines += ["| " + " | ".join([name, *(show(figure) for figure in figures)]) + " |" for name, show in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help="also write the table into docs/PERFORMANCE.md")
    options = parser.parse_args()
    figures = measure()
    sys.stdout.write(json.dumps([f._asdict() for f in figures], indent=2) + "\n" if options.json else table(figures))
    if options.write:
        page = ROOT / "docs" / "PERFORMANCE.md"
        text = replace_section(page.read_text(encoding="utf-8"), "route-rules", table(figures))
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
