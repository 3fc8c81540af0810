"""The cost of Powertools' verifier (`auth_alpha`), compared with ours and with the bare verify in the same run.

    python -m benchmarks.peers [--rounds N]

The lines "verify" compare one new token. "invocation" compares an authorizer's complete response to an HTTP API's event
with a new token: ours includes tenant, principal and route rules, the peer's signature, issuer, audience and times.
Both get their keys in advance, so no line fetches anything. `benchmarks.cold_start` measures the peer's cold start.
"""

from __future__ import annotations

import argparse
import compileall
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.auth_alpha import JWTVerifier

from benchmarks import verify
from benchmarks.stand_ins import http_event
from lambda_gateway.model import FunctionSpec
from tenantgate.authorizer.environment import route_rules
from tenantgate.authorizer.service import Authorizer
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate_cli.build.uv import find_uv
from tenantgate_cli.paths import ROOT

FUNCTION = "auth_alpha"
# It accepts no plain HTTP issuer, such as the stand-in on loopback.
ISSUER = verify.ISSUER
PACKAGES = ("aws-lambda-powertools", "pyjwt", "cryptography")
_HANDLER = """\
import json, os
from aws_lambda_powertools.utilities.auth_alpha import JWTVerifier
with open(os.environ["OIDC_JWKS_FILE"], encoding="utf-8") as file:
    VERIFIER = JWTVerifier(
        issuer=os.environ["OIDC_ISSUER_URL"],
        audience=os.environ["OIDC_AUDIENCE"],
        algorithms=["RS256"],
        jwks=json.load(file),
    )
def lambda_handler(event, context):
    return VERIFIER.authorize(event, response_format="simple", context_claims=["sub"])
"""


class Figure(NamedTuple):
    """Times in microseconds: the bare verify, our verifier, the peer."""

    name: str
    floor_us: float
    ours_us: float
    peer_us: float


def measure(rounds: int) -> list[Figure]:
    """Measure `rounds` rounds of 50 tokens; the best round counts."""
    algorithms = verify.all_algorithms()
    jwks: dict[str, object] = {"keys": [a.jwk | {"kid": name, "use": "sig"} for name, a in algorithms.items()]}
    figures = [_verify(name, algorithm, jwks, rounds) for name, algorithm in algorithms.items()]
    figures.append(_invocation(algorithms["RS256"], jwks, rounds))
    return figures


def _verify(name: str, algorithm: verify.Algorithm, jwks: dict[str, object], rounds: int) -> Figure:
    tokens = [verify.new_token(name, algorithm, number) for number in range(verify.TOKENS)]
    signed = [verify.signed_and_signature(token, name) for token in tokens]
    peer = _peer(jwks, name)
    taken = []
    for _ in range(rounds):
        ours = verify.new_verifier(jwks)
        _warm(ours.verify, peer.verify, verify.new_token(name, algorithm, verify.TOKENS))
        taken.append(
            (
                verify.floor_seconds_each(algorithm, signed),
                verify.seconds_each(ours.verify, tokens),
                verify.seconds_each(peer.verify, tokens),
            )
        )
    return Figure(f"verify ({name})", *_best(taken))


def _invocation(algorithm: verify.Algorithm, jwks: dict[str, object], rounds: int) -> Figure:
    name = "RS256"
    tokens = [verify.new_token(name, algorithm, number) for number in range(verify.TOKENS)]
    signed = [verify.signed_and_signature(token, name) for token in tokens]
    events = [authorizer_event(authorization=f"Bearer {token}") for token in tokens]
    rules = route_rules(str(ROOT / "functions" / "authorizer" / "rules.toml"), {})
    peer = _peer(jwks, name)

    def peers(event: dict[str, Any]) -> None:
        if not peer.authorize(event, response_format="simple", context_claims=["sub"])["isAuthorized"]:
            raise SystemExit("the peer denied a valid token")

    taken = []
    for _ in range(rounds):
        credential = BearerCredential(verify.new_verifier(jwks), verify.POLICY)
        authorizer = Authorizer(Credentials(credential), rules)

        def ours(event: dict[str, Any], decide: Callable[[object], Any] = authorizer.decide) -> None:
            if not decide(event)["isAuthorized"]:
                raise SystemExit("our authorizer denied a valid token")

        _warm(ours, peers, authorizer_event(authorization=f"Bearer {verify.new_token(name, algorithm, verify.TOKENS)}"))
        taken.append(
            (
                verify.floor_seconds_each(algorithm, signed),
                verify.seconds_each(ours, events),
                verify.seconds_each(peers, events),
            )
        )
    return Figure("invocation (RS256)", *_best(taken))


def _peer(jwks: dict[str, object], algorithm: str) -> JWTVerifier:
    return JWTVerifier(issuer=ISSUER, audience="tenantgate-api", algorithms=[algorithm], jwks=jwks)


def authorizer_event(**headers: str) -> dict[str, Any]:
    """Return an HTTP API's authorizer event, payload 2.0, for one of the product's own routes."""
    cookies = {"cookie": headers.pop("cookie")} if "cookie" in headers else None
    return {
        **http_event("GET", "/api/v1/auth/me", headers=headers, cookies=cookies),
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-central-1:123456789012:api/$default/GET/api/v1/auth/me",
        "identitySource": None,
    }


def _warm[T](ours: Callable[[T], object], peer: Callable[[T], object], value: T) -> None:
    for call in (ours, peer):
        call(value)


def _best(taken: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    floor, ours, peer = (min(column) * 1e6 for column in zip(*taken, strict=True))
    return floor, ours, peer


def peer_function(folder: Path, variables: dict[str, str]) -> FunctionSpec:
    """Build an authorizer on the peer's verifier, with its packages, as a build would bundle it."""
    wanted = [f"{name}=={version(name)}" for name in PACKAGES]
    command = [find_uv(), "pip", "install", "--quiet", "--no-config", "--target", str(folder), "--python"]
    subprocess.run([*command, sys.executable, "--only-binary", ":all:", "--compile-bytecode", *wanted], check=True)
    (folder / "peer.py").write_text(_HANDLER, encoding="utf-8")
    compileall.compile_file(folder / "peer.py", quiet=1)
    env = variables | {"OIDC_ISSUER_URL": ISSUER}
    return FunctionSpec(name=FUNCTION, handler="peer.lambda_handler", root=folder, code=folder, env=env)


def table(figures: list[Figure]) -> str:
    """Format the figures as Markdown."""
    lines = [
        f"Powertools {version('aws-lambda-powertools')}, `auth_alpha`.",
        "",
        "| | bare verify, µs | ours, µs | × bare | `auth_alpha`, µs | × bare | × ours |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, floor, ours, peer in figures:
        lines.append(
            f"| {name} | {floor:.1f} | {ours:.1f} | {ours / floor:.2f} "
            f"| {peer:.1f} | {peer / floor:.2f} | {peer / ours:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=50, help="rounds; the best one counts (50)")
    options = parser.parse_args()
    figures = measure(options.rounds)
    sys.stdout.write(json.dumps([figure._asdict() for figure in figures], indent=2) if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
