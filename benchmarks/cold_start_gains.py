"""The gain of each technique of `tenantgate/cold_start`: cold starts with all techniques and without one.

    python -m benchmarks.cold_start_gains [--rounds N] [--build-dir FOLDER]

A variant is a copy of the built layer and functions with one technique taken out: its file is removed, or the line that
uses it is replaced. In every round each variant starts once, so that other load on the machine affects all equally. A
gain is the median difference between a variant's start and the complete one of the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import py_compile
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import cold_start
from benchmarks.session_cookies import running_valkey
from benchmarks.stand_ins import Provider, development_variables, http_event
from lambda_gateway.model import FunctionSpec
from tenantgate.cold_start.generated_code import TABLE
from tenantgate.cold_start.image import FILE, Image, write_image
from tenantgate_cli.stack.servers.postgres import PostgresAddresses
from tenantgate_cli.stack.templates import read_product_template

ROUNDS = 25
_AUTHORIZER, _WEB, _WEB_WITH_VALKEY = "AuthorizerFunction", "AuthValidateFunction", "AuthValidateFunction with Valkey"
# No function opens a connection to it: Valkey has the session.
_NO_DATABASE = PostgresAddresses(*["postgresql://nobody:x@127.0.0.1:1/none"] * 3)


@dataclass(frozen=True)
class Edit:
    """Replace `old` by `new` in a module of the layer (`tenantgate…`) or of the function."""

    module: str
    old: str
    new: str


@dataclass(frozen=True)
class Technique:
    """One technique, the functions that use it, and how to take it out."""

    name: str
    functions: tuple[str, ...]
    edits: tuple[Edit, ...] = ()
    removed: tuple[str, ...] = ()


def _session_cookie(journey: cold_start.Journey) -> dict[str, Any]:
    assert journey.valkey is not None
    return http_event("GET", "/api/v1/auth/validate", cookies={"cookie": journey.valkey.cookie()})


_STARTS = {start.function: start for start in cold_start.STARTS if start.function in (_AUTHORIZER, _WEB)} | {
    _WEB_WITH_VALKEY: cold_start.Start("auth_validate: a session cookie", _WEB_WITH_VALKEY, None, _session_cookie)
}

TECHNIQUES = [
    Technique("modules from one file", (_AUTHORIZER, _WEB), removed=(Path(FILE).name,)),
    Technique(
        "the standard library found directly",
        (_AUTHORIZER, _WEB),
        edits=(
            Edit(
                "tenantgate.cold_start.image",
                "    sys.meta_path.insert(sys.meta_path.index(PathFinder), StandardLibrary)\n",
                "",
            ),
        ),
    ),
    Technique(
        "`typing` imported late",
        (_AUTHORIZER,),
        edits=(Edit("functions.authorizer.handler", "\nuse_late_typing()\n", "\n"),),
    ),
    Technique(
        "no garbage collection",
        (_AUTHORIZER, _WEB),
        edits=(
            Edit("tenantgate.cold_start.collector", "    gc.disable()\n", ""),
            Edit("tenantgate.cold_start.collector", "    gc.freeze()\n", ""),
        ),
    ),
    Technique("generated code compiled ahead", (_WEB,), removed=(TABLE.name,)),
    Technique(
        "FastAPI's schemas of OpenAPI built at first use",
        (_WEB,),
        edits=(Edit("tenantgate.cold_start.web_import", "    with _deferred_schemas():\n", "    if True:\n"),),
    ),
    Technique(
        "redis-py without its commands",
        (_WEB_WITH_VALKEY,),
        edits=(
            Edit(
                "tenantgate.cold_start.redis_import",
                "    if not sys.modules.keys().isdisjoint(_PACKAGES):\n",
                "    if True:\n",
            ),
        ),
    ),
]


class Gain(NamedTuple):
    """Milliseconds that a technique saves of `total`, the complete start's."""

    technique: str
    function: str
    milliseconds: float
    cpu_milliseconds: float
    total: float


async def measure(build_dir: Path, rounds: int, tell: Callable[[str], None]) -> list[Gain]:
    """Start every variant `rounds` times; return a gain for each technique and function."""
    async with AsyncExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory())
        provider = stack.enter_context(Provider(Path(name) / "jwks.json"))
        valkey = await stack.enter_async_context(running_valkey(Path(name)))
        variables, secrets = development_variables(_NO_DATABASE, provider)
        functions = dict(read_product_template(build_dir / "template.yaml", variables, secrets).functions)
        web = functions[_WEB]
        functions[_WEB_WITH_VALKEY] = replace(web, name=_WEB_WITH_VALKEY, env={**web.env, "REDIS_URL": valkey.plain})
        variants = {
            (technique.name, function): _variant(
                functions[function], technique, Path(name) / f"{number}-{function.replace(' ', '-')}"
            )
            for number, technique in enumerate(TECHNIQUES)
            for function in technique.functions
        }
        journey = cold_start.Journey(provider, valkey)

        async def start(function: FunctionSpec) -> cold_start.Sample:
            wanted = _STARTS[function.name]
            sample, response = await cold_start.start_once(function, wanted.event(journey))
            wanted.accept(journey, response)
            return sample

        differences: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in variants}
        totals: dict[str, list[float]] = {function: [] for function in _STARTS}
        # The first round fills the page cache and isn't counted.
        for number in range(rounds + 1):
            tell(f"round {number} of {rounds}")
            complete = {function: await start(functions[function]) for function in _STARTS}
            for key, variant in variants.items():
                sample = await start(variant)
                base = complete[key[1]]
                if number > 0:
                    differences[key].append(
                        (sample.milliseconds - base.milliseconds, sample.cpu_milliseconds - base.cpu_milliseconds)
                    )
            for function, sample in complete.items():
                totals[function].append(sample.milliseconds)
    gains = []
    for (technique, function), pairs in differences.items():
        milliseconds, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        gains.append(Gain(technique, function, milliseconds, cpu, statistics.median(totals[function])))
    return gains


def _variant(function: FunctionSpec, technique: Technique, folder: Path) -> FunctionSpec:
    """Copy the function and its layer without the technique."""
    root = folder / "task"
    shutil.copytree(function.root, root)
    [layer] = function.layers
    packages = folder / "layer"
    shutil.copytree(layer, packages)
    for name in technique.removed:
        next(packages.rglob(name)).unlink()
    for edit in technique.edits:
        _apply(edit, packages if edit.module.startswith("tenantgate.") else root, packages)
    return replace(function, root=root, code=root, layers=(packages,))


def _apply(edit: Edit, folder: Path, packages: Path) -> None:
    source = folder.joinpath(*edit.module.split(".")).with_suffix(".py")
    text = source.read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise SystemExit(f"{edit.module} no longer contains this once: {edit.old!r}")
    source.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    compiled = py_compile.compile(
        str(source), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    file = packages / "tenantgate" / "cold_start" / Path(FILE).name
    image = Image(str(file), str(packages))
    if compiled is None or edit.module not in image.names:
        return
    modules = {name: (image.bytecode(name), image.is_package(name)) for name in image.names}
    modules[edit.module] = (Path(compiled).read_bytes()[16:], False)
    write_image(str(file), modules)


def table(gains: list[Gain]) -> str:
    """Write the gains as Markdown."""
    lines = [
        "| technique | first response of | gain, ms | gain, CPU ms | with all, ms |",
        "|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {gain.technique} | {_STARTS[gain.function].name} | {gain.milliseconds:.1f} | {gain.cpu_milliseconds:.1f} "
        f"| {gain.total:.0f} |"
        for gain in gains
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"starts of each variant; medians count ({ROUNDS})")
    parser.add_argument("--build-dir", type=Path, help="measure this build instead of making one")
    options = parser.parse_args()

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    gains = asyncio.run(measure(cold_start.built(options.build_dir, tell), options.rounds, tell))
    sys.stdout.write(table(gains))
    return 0


if __name__ == "__main__":
    sys.exit(main())
