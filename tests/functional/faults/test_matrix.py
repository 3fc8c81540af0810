"""Every cell of the fault matrix, in its short form, and the page that is written from it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tenantgate.revoked.holder import BOUND_SECONDS
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.declared_keys import uses_of
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.valkey import command
from tests.fixtures.faults.fault import Fault
from tests.fixtures.faults.flows import Flows
from tests.fixtures.faults.stack import FaultStack, Link, fault_stack
from tests.functional.faults.matrix import FLOWS, KINDS, LINKS, LONG_SECONDS, RECOVERY, beyond, cell
from tests.functional.faults.periods import findings, recover, run_period
from tests.functional.faults.report import PAGE, page

pytestmark = [pytest.mark.timed]


@pytest.fixture(scope="module")
def stack(
    database_urls: DatabaseUrls, valkey_server: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultStack]:
    folder = tmp_path_factory.mktemp("faults")
    command(valkey_server.start(), "FLUSHALL")
    with fault_stack(database_urls.app_url, valkey_server.start(), folder) as running:
        yield running


@pytest.fixture(scope="module")
def flows(stack: FaultStack) -> Iterator[Flows]:
    with Flows(stack).open() as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("link", LINKS)
def test_each_flow_ends_as_stated_while_a_link_fails(stack: FaultStack, flows: Flows, link: Link, kind: str) -> None:
    chosen = [flow for flow in FLOWS if cell(link, kind, flow).within <= LONG_SECONDS]
    ran = run_period(stack, flows, link, kind, chosen=chosen)
    assert findings(link, kind, ran) == []
    assert recover(flows, link, ran) <= RECOVERY[link]


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_is_gone_for_long_makes_no_revocation_unknown(stack: FaultStack, flows: Flows, link: Link) -> None:
    flows.prepare()
    flows.run("validate, bearer", "authorizer, bearer")
    with stack.links[link].gone():
        time.sleep(BOUND_SECONDS + 1)
        ran = flows.run(*FLOWS)
    assert {flow: one.outcome for flow, one in ran.items()} == {flow: beyond(link, flow) for flow in FLOWS}
    assert recover(flows, link, ran) <= RECOVERY[link]


def test_a_lost_response_of_the_token_endpoint_ends_the_session_at_its_next_refresh(
    stack: FaultStack, flows: Flows
) -> None:
    flows.prepare()
    with stack.links["provider"].failing(Fault(cut_after=3), "client"):
        assert flows.run("refresh")["refresh"].outcome == "502 SYS_004"
    assert flows.run("refresh")["refresh"].outcome == "401 AUTH_020"


def test_every_key_in_valkey_is_declared_and_expires(stack: FaultStack, flows: Flows) -> None:
    flows.prepare()
    flows.run(*FLOWS)
    url = stack.links["cache"].url
    keys = [key.decode() for key in command(url, "KEYS", "*")]
    assert keys
    for key in keys:
        (use,) = uses_of(key)
        # A key may expire meanwhile (-2), but each has an end (not -1).
        left = command(url, "TTL", key)
        assert left == -2 or 0 <= left <= use.longest_seconds, (key, left)


def test_no_failure_was_unexpected(stack: FaultStack) -> None:
    assert '"SYS_003"' not in stack.container.log.read_text(encoding="utf-8")


def test_the_page_has_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "fix: python -m tests.functional.faults.report"
