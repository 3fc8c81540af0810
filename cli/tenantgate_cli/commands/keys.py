"""`tenantgate keys`: make sealing keys."""

from __future__ import annotations

import sys

from tenantgate.crypto.sealing import new_sealing_key

# Sessions last as long as their access tokens; sign-ins, ten minutes. A running process reads Secrets Manager again
# after five minutes, and seals with the old key until then.
STEPS = (
    "put it first: COOKIE_SEALING_KEYS=<the new key>,<the keys of before>, in Secrets Manager or the environment",
    (
        "keep the old keys: what they sealed still opens. An old key may go JWT_MAX_LIFETIME_MINUTES and 10 minutes "
        "after every process has the new one (70 minutes by default)"
    ),
    "docs/OPERATIONS.md has the whole procedure",
)


def print_new(*, as_json: bool) -> None:
    """Print a new key on standard output, and how to use it on standard error."""
    key = new_sealing_key()
    if as_json:
        from tenantgate_cli.results import print_result  # noqa: PLC0415

        print_result(key=key, steps=list(STEPS))
        return
    sys.stdout.write(f"{key}\n")
    sys.stdout.flush()
    sys.stderr.write("".join(f"  → {step}\n" for step in STEPS))
