"""The short form of the campaign, one target at a time."""

from __future__ import annotations

from tests.fixtures.schema.target import Form
from tests.functional.schema.campaign import run_one

# Together more than 10,000. The container is faster.
REQUESTS: dict[Form, int] = {"container": 6000, "gateway": 4200}
_SEED, _BATCH, _USES = 1, 8, 1_000_000


def assert_as_documented(form: Form) -> None:
    """Send the requests of the short form; each response must be as documented, and each operation must succeed."""
    done = run_one(form, REQUESTS[form], _SEED, batch=_BATCH, uses=_USES)
    assert not done.findings, "\n".join(done.findings[:20])
    assert not done.unreached
    assert done.requests == REQUESTS[form]
    assert len(done.operations) > 30
