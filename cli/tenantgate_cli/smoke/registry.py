"""The checks of the smoke test, in the order of its table."""

from __future__ import annotations

from collections.abc import Callable

from tenantgate_cli.bounded_http import NoResponse
from tenantgate_cli.outcomes import Check, Finding, Outcome, failed, run_all, skipped
from tenantgate_cli.smoke.cors import preflight
from tenantgate_cli.smoke.credentials import behind_authorizer, forged_token, with_token, without_scope, without_token
from tenantgate_cli.smoke.paths import catch_all, encoded_path
from tenantgate_cli.smoke.service import headers, live, ready, sign_in
from tenantgate_cli.smoke.target import Target

# Checks at the same time: each starts functions that are cold, and a deployment's first minute must not be its worst.
_AT_ONCE = 4
# By the name of the line, with the number of times the limit of a request that the check may take.
CHECKS: dict[str, tuple[Callable[[Target], Finding], int]] = {
    "ready": (ready, 2),
    "security headers": (headers, 1),
    "no token": (without_token, 1),
    "authorizer": (behind_authorizer, 1),
    "forged token": (forged_token, 2),
    "token": (with_token, 1),
    "missing scope": (without_scope, 2),
    "preflight": (preflight, 2),
    "catch-all": (catch_all, 2),
    "encoded path": (encoded_path, 4),
    "sign-in": (sign_in, 1),
}


def run(target: Target) -> list[Outcome]:
    """Run the test: first whether the API responds, then everything else, a few checks at the same time."""
    first = run_all([_check("live", live, 1, target)], [target.token])
    if first[0].finding.status == "failed":
        rest = skipped("not sent: the API isn't live")
        return [*first, *(Outcome(name, rest, None) for name in CHECKS)]
    checks = [_check(name, run, requests, target) for name, (run, requests) in CHECKS.items()]
    batches = (checks[at : at + _AT_ONCE] for at in range(0, len(checks), _AT_ONCE))
    return first + [outcome for batch in batches for outcome in run_all(batch, [target.token])]


def _check(name: str, run: Callable[[Target], Finding], requests: int, target: Target) -> Check:
    def guarded() -> Finding:
        try:
            return run(target)
        except NoResponse as error:
            return failed(str(error), error.fix)

    # The requests have their own limits. This one covers what they can't interrupt, such as the lookup of a name.
    return Check(name, guarded, seconds=target.seconds * requests + 2)
