"""Cold starts of the built functions, as ratios to a bare Python handler in the same run.

    python -m benchmarks.cold_start [--rounds N] [--only NAME] [--json] [--build-dir FOLDER]

Each figure is the time from spawning the process to its first response, under Lambda's runtime client (awslambdaric).
The path contains only the bundles of the function and the layer and the packages of the runtime. In every round each
function starts once and the bare handler several times, so that other load on the machine slows them equally; the
medians count. CPU is the time that the process itself ran, which other load hardly affects; memory is the peak. The
requests are real: a token is accepted, a sign-in completed, a session ended. A provider, PostgreSQL and Valkey run on
loopback.
Secrets come from the environment, so the figures don't include the client of Secrets Manager.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Literal, NamedTuple

from benchmarks import peers, session_cookies
from benchmarks.session_cookies import ValkeyAddresses, running_valkey
from benchmarks.stand_ins import BASE_URL, SIGNED_IN, Provider, development_variables, http_event
from lambda_gateway.model import FunctionSpec
from lambda_gateway.runtime.process import FunctionProcess
from tenantgate_cli.build.sam import build, native_architecture
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tenantgate_cli.stack.templates import read_product_template

BUILD = ROOT / ".aws-sam" / "native"
BARE = "def lambda_handler(event, context):\n    return {'statusCode': 200, 'body': '{}'}\n"

type Kind = Literal["authorizer", "no database", "database"]
# With fewer rounds, the medians of two runs differ by more than a typical improvement.
ROUNDS = 25
GOALS: dict[Kind, float] = {"authorizer": 1.4, "no database": 8.0, "database": 14.0}

type Response = dict[str, Any]
type Samples = dict[str, list[Sample]]


@dataclass
class Journey:
    """State that the steps of a sign-in pass on."""

    provider: Provider
    valkey: ValkeyAddresses | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    state: str = ""
    nonce: str = ""

    def keep_cookies(self, response: Response) -> None:
        for cookie in response.get("cookies", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value

    @property
    def cookie_header(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)}


@dataclass(frozen=True)
class Start:
    """One kind of cold start: `function` gets the event and must return `status`."""

    name: str
    function: str
    kind: Kind | None
    event: Callable[[Journey], dict[str, Any]]
    status: int | None = 200
    after: Callable[[Journey, Response], None] = lambda journey, response: None

    def accept(self, journey: Journey, response: Response) -> None:
        """Check the response and keep the state that later steps need. An unexpected one ends the benchmark."""
        if self.status is not None and response.get("statusCode") != self.status:
            raise SystemExit(f"{self.name}: expected {self.status}, got {response}")
        self.after(journey, response)


@dataclass(frozen=True)
class Figure:
    name: str
    kind: Kind | None
    milliseconds: float
    ratio: float
    cpu_milliseconds: float
    cpu_ratio: float
    megabytes: float
    memory_ratio: float

    @property
    def goal(self) -> float | None:
        return GOALS[self.kind] if self.kind else None


def _bearer(journey: Journey, *, issuer: str = "") -> dict[str, str]:
    return {"authorization": f"Bearer {journey.provider.access_token(issuer=issuer)}"}


def _login(journey: Journey) -> dict[str, Any]:
    journey.cookies.clear()
    return http_event("GET", "/api/v1/auth/login")


def _begun(journey: Journey, response: Response) -> None:
    journey.keep_cookies(response)
    location = response["headers"]["location"]
    journey.state = re.findall(r"[?&]state=([^&]+)", location)[0]
    journey.nonce = re.findall(r"[?&]nonce=([^&]+)", location)[0]


def _callback(journey: Journey) -> dict[str, Any]:
    # The stand-in's codes are the nonces that its ID tokens must carry.
    query = f"code={journey.nonce}&state={journey.state}"
    return http_event("GET", "/api/v1/auth/callback", query=query, cookies=journey.cookie_header)


def _session_cookie(journey: Journey) -> dict[str, Any]:
    assert journey.valkey is not None
    return peers.authorizer_event(cookie=journey.valkey.cookie())


def _judged_token(journey: Journey) -> dict[str, Any]:
    assert journey.valkey is not None
    journey.valkey.publish()
    return peers.authorizer_event(**_bearer(journey))


def _allowed(_: Journey, response: Response) -> None:
    if response.get("isAuthorized") is not True:
        raise SystemExit(f"expected an allowed request, got {response}")


STARTS = [
    Start(
        "authorizer: an accepted token",
        "AuthorizerFunction",
        "authorizer",
        lambda journey: peers.authorizer_event(**_bearer(journey)),
        status=None,
        after=_allowed,
    ),
    Start(
        "authorizer: an accepted token, with the list of revocations",
        session_cookies.PLAIN,
        None,
        _judged_token,
        status=None,
        after=_allowed,
    ),
    Start(
        "authorizer: an accepted token, with the list of revocations over TLS",
        session_cookies.TLS,
        None,
        _judged_token,
        status=None,
        after=_allowed,
    ),
    Start(
        "authorizer: an accepted session cookie",
        session_cookies.PLAIN,
        None,
        _session_cookie,
        status=None,
        after=_allowed,
    ),
    Start(
        "authorizer: an accepted session cookie, over TLS",
        session_cookies.TLS,
        None,
        _session_cookie,
        status=None,
        after=_allowed,
    ),
    Start(
        "Powertools' `auth_alpha`: an accepted token",
        peers.FUNCTION,
        None,
        lambda journey: peers.authorizer_event(**_bearer(journey, issuer=peers.ISSUER)),
        status=None,
    ),
    Start(
        "auth_validate: a valid token",
        "AuthValidateFunction",
        "no database",
        lambda journey: http_event("GET", "/api/v1/auth/validate", headers=_bearer(journey)),
    ),
    Start(
        "auth_me: behind the authorizer",
        "AuthMeFunction",
        "no database",
        lambda _: http_event("GET", "/api/v1/auth/me", authorizer=SIGNED_IN),
    ),
    Start("health: live", "HealthFunction", "no database", lambda _: http_event("GET", "/api/v1/health/live")),
    Start(
        "unknown_route: 404",
        "UnknownRouteFunction",
        "no database",
        lambda _: http_event("GET", "/nowhere", route="$default"),
        status=404,
    ),
    Start("auth_login: to the provider", "AuthLoginFunction", "no database", _login, status=302, after=_begun),
    Start("health: ready", "HealthFunction", "database", lambda _: http_event("GET", "/api/v1/health/ready")),
    Start(
        "auth_callback: a completed sign-in",
        "AuthCallbackFunction",
        "database",
        _callback,
        status=303,
        after=Journey.keep_cookies,
    ),
    Start(
        "home: the signed-in page",
        "HomeFunction",
        "database",
        lambda journey: http_event("GET", "/", headers={"accept": "text/html"}, cookies=journey.cookie_header),
    ),
    Start(
        "auth_logout: a session ended",
        "AuthLogoutFunction",
        "database",
        lambda journey: http_event(
            "POST", "/api/v1/auth/logout", headers={"origin": BASE_URL}, cookies=journey.cookie_header, body={}
        ),
    ),
    Start(
        "identity_provider: key set",
        "IdentityProviderFunction",
        "database",
        lambda _: http_event("GET", "/idp/jwks", route="ANY /idp/{proxy+}"),
    ),
    Start("migration_runner: current", "MigrationRunnerFunction", None, lambda _: {"action": "current"}, status=None),
]


class Sample(NamedTuple):
    """One start: the time from spawn to the first response, and the resources used until then."""

    milliseconds: float
    cpu_milliseconds: float
    megabytes: float


async def start_once(function: FunctionSpec, event: dict[str, Any]) -> tuple[Sample, Response]:
    process = FunctionProcess(
        function.handler,
        name=function.name,
        env=function.env,
        pythonpath=[function.root, *function.layers],
        cwd=function.root,
        timeout=30,
        isolated=True,
    )
    began = time.perf_counter()
    await process.start()
    try:
        response = await process.invoke(event)
        milliseconds = (time.perf_counter() - began) * 1000
        return Sample(milliseconds, *_used(process.pid)), response
    finally:
        await process.stop()


def _used(pid: int | None) -> tuple[float, float]:
    """Return the CPU milliseconds of all threads and the peak memory in MB so far (Linux; elsewhere not a number)."""
    folder = Path(f"/proc/{pid}")
    if not folder.is_dir():
        return float("nan"), float("nan")
    ran = 0
    for thread in folder.glob("task/*/schedstat"):
        # A thread may have ended after it was listed.
        with suppress(FileNotFoundError, ProcessLookupError):
            ran += int(thread.read_text(encoding="ascii").split()[0])
    peak = re.search(r"VmHWM:\s+(\d+) kB", (folder / "status").read_text(encoding="ascii"))
    return ran / 1e6, int(peak[1]) / 1024 if peak else float("nan")


def _bare_function(folder: Path) -> FunctionSpec:
    (folder / "bare.py").write_text(BARE, encoding="utf-8")
    compileall.compile_dir(folder, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return FunctionSpec(name="bare", handler="bare.lambda_handler", root=folder, code=folder)


async def measure(
    build_dir: Path, rounds: int, tell: Callable[[str], None], *, starts: Sequence[Start] = STARTS
) -> list[Figure]:
    """Measure these starts; each figure is the median of `rounds`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddedPostgres(folder / "postgres") as postgres, Provider(folder / "jwks.json") as provider:
            async with running_valkey(folder) as valkey:
                functions = _functions(folder, build_dir, development_variables(postgres.start(), provider), valkey)
                await start_once(functions["MigrationRunnerFunction"], {"action": "upgrade"})
                samples = await _samples(functions, starts, Journey(provider, valkey), rounds, tell)
    return [_figure("a bare Python handler", None, "bare", samples)] + [
        _figure(start.name, start.kind, start.name, samples) for start in starts
    ]


def _functions(
    folder: Path, build_dir: Path, given: tuple[dict[str, str], dict[str, str]], valkey: ValkeyAddresses
) -> dict[str, FunctionSpec]:
    """Return the functions of `STARTS` and the bare one; `given` are their variables and secrets."""
    functions = dict(read_product_template(build_dir / "template.yaml", *given).functions)
    functions |= valkey.authorizers(functions["AuthorizerFunction"])
    functions |= {peers.FUNCTION: peers.peer_function(folder / "peer", given[0])}
    (folder / "bare").mkdir()
    return {**functions, "bare": _bare_function(folder / "bare")}


async def _samples(
    functions: Mapping[str, FunctionSpec],
    starts: Sequence[Start],
    journey: Journey,
    rounds: int,
    tell: Callable[[str], None],
) -> Samples:
    samples: Samples = {"bare": [], **{start.name: [] for start in starts}}
    # The first round fills the page cache and doesn't count.
    for number in range(rounds + 1):
        tell(f"round {number} of {rounds}")
        taken = await _round(functions, starts, journey)
        if number > 0:
            for start, sample in taken:
                samples[start].append(sample)
    return samples


async def _round(
    functions: Mapping[str, FunctionSpec], starts: Sequence[Start], journey: Journey
) -> list[tuple[str, Sample]]:
    taken = []
    for number, start in enumerate(starts):
        if number % 4 == 0:
            taken.append(("bare", (await start_once(functions["bare"], {}))[0]))
        sample, response = await start_once(functions[start.function], start.event(journey))
        start.accept(journey, response)
        taken.append((start.name, sample))
    return taken


def _figure(name: str, kind: Kind | None, key: str, samples: Samples) -> Figure:
    own = [statistics.median(values) for values in zip(*samples[key], strict=True)]
    floor = [statistics.median(values) for values in zip(*samples["bare"], strict=True)]
    (milliseconds, ratio), (cpu, cpu_ratio), (memory, memory_ratio) = (
        (value, value / base) for value, base in zip(own, floor, strict=True)
    )
    return Figure(name, kind, milliseconds, ratio, cpu, cpu_ratio, memory, memory_ratio)


def table(figures: list[Figure]) -> str:
    """Format the figures as Markdown."""
    lines = [
        "| first response of | ms | × bare | goal | CPU ms | × bare | peak memory, MB | × bare |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for figure in figures:
        goal = f"≤ {figure.goal:g}" if figure.goal else ""
        lines.append(
            f"| {figure.name} | {figure.milliseconds:.0f} | {figure.ratio:.2f} | {goal} "
            f"| {figure.cpu_milliseconds:.0f} | {figure.cpu_ratio:.2f} "
            f"| {figure.megabytes:.0f} | {figure.memory_ratio:.2f} |"
        )
    return "\n".join(lines) + "\n"


def built(build_dir: Path | None, tell: Callable[[str], None]) -> Path:
    """Return `build_dir`, or a new build for this machine's processor."""
    if build_dir is not None:
        return build_dir
    tell("sam build")
    done = build(native_architecture(), BUILD)
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    return BUILD


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"starts of each function; medians count ({ROUNDS})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--build-dir", type=Path, help="measure this build instead of making one")
    parser.add_argument("--only", default="", help="only starts whose names begin so, such as `authorizer`")
    options = parser.parse_args()

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    starts = [start for start in STARTS if start.name.startswith(options.only)]
    figures = asyncio.run(measure(built(options.build_dir, tell), options.rounds, tell, starts=starts))
    if options.json:
        sys.stdout.write(json.dumps([{**vars(figure), "goal": figure.goal} for figure in figures], indent=2) + "\n")
    else:
        sys.stdout.write(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
