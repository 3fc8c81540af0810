"""The directory of providers' metadata, without a network."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.discovery import ProviderDirectory, endpoint, well_known_url
from tests.fixtures.tokens.issuer import NOW, ManualClock

ISSUER = "https://idp.example"
ELSEWHERE = "https://metadata.example/idp?tenant=1"


class Documents:
    """Responds with the issuer's metadata, numbered by fetch."""

    def __init__(self) -> None:
        self.fetched: list[tuple[str, float]] = []

    def __call__(self, url: str, *, timeout: float) -> Mapping[str, object]:
        self.fetched.append((url, timeout))
        return {"issuer": ISSUER, "number": len(self.fetched)}


@pytest.mark.parametrize("discovery_url", [None, ELSEWHERE])
def test_forgotten_and_doubted_metadata_is_fetched_again(discovery_url: str | None) -> None:
    documents = Documents()
    directory = ProviderDirectory(fetcher=documents, clock=ManualClock())
    assert directory.metadata(ISSUER, discovery_url)["number"] == 1
    assert directory.metadata(ISSUER, discovery_url)["number"] == 1
    directory.forget(ISSUER, discovery_url)
    assert directory.metadata(ISSUER, discovery_url)["number"] == 2
    directory.doubt(ISSUER, discovery_url)
    assert directory.metadata(ISSUER, discovery_url)["number"] == 3
    # Another document of the same issuer is another entry.
    directory.forget(ISSUER, "https://third.example/")
    directory.doubt(ISSUER, "https://third.example/")
    assert directory.metadata(ISSUER, discovery_url)["number"] == 3
    assert {url for url, _ in documents.fetched} == {discovery_url or f"{ISSUER}/.well-known/openid-configuration"}


def test_metadata_is_fresh_for_an_hour_and_usable_for_a_day() -> None:
    clock, documents = ManualClock(), Documents()
    directory = ProviderDirectory(fetcher=documents, clock=clock)
    directory.metadata(ISSUER)
    clock.now = NOW + 3599.5
    assert directory.metadata(ISSUER)["number"] == 1
    clock.now = NOW + 3600
    assert directory.metadata(ISSUER)["number"] == 2


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://idp.example", "https://idp.example/.well-known/openid-configuration"),
        ("https://idp.example/", "https://idp.example/.well-known/openid-configuration"),
        ("https://idp.example/a", "https://idp.example/a/.well-known/openid-configuration"),
        ("https://idp.example/a//", "https://idp.example/a//.well-known/openid-configuration"),
    ],
)
def test_the_well_known_path_follows_the_issuer_without_one_slash(issuer: str, url: str) -> None:
    assert well_known_url(issuer) == url


@pytest.mark.parametrize(
    ("value", "source", "accepted"),
    [
        ("https://idp.example/keys", ISSUER, True),
        ("http://127.0.0.1:3000/keys", "http://127.0.0.1:3000/x", True),
        ("http://127.0.0.1:3000/keys", ISSUER, False),
        ("http://idp.example/keys", "http://127.0.0.1:3000/x", False),
        (7, ISSUER, False),
        ([], ISSUER, False),
        (False, ISSUER, False),
    ],
)
def test_an_endpoint_is_https_or_between_loopback_servers(value: object, source: str, accepted: bool) -> None:
    if accepted:
        assert endpoint({"jwks_uri": value}, "jwks_uri", source=source) == value
        return
    with pytest.raises(ProviderUnreachable) as refused:
        endpoint({"jwks_uri": value}, "jwks_uri", source=source)
    assert refused.value.private == {"member": "jwks_uri", "actual": str(value)}


@pytest.mark.parametrize("metadata", [{}, {"jwks_uri": None}, {"jwks_uri": ""}])
def test_an_endpoint_may_be_missing(metadata: dict[str, object]) -> None:
    assert endpoint(metadata, "jwks_uri", source=ISSUER) is None


def test_a_failure_is_logged_with_whether_older_metadata_serves(caplog: pytest.LogCaptureFixture) -> None:
    clock, documents = ManualClock(), Documents()
    down = False

    def fetch(url: str, *, timeout: float) -> Mapping[str, object]:
        if down:
            raise ProviderUnreachable("nothing is there", url=url)
        return documents(url, timeout=timeout)

    directory = ProviderDirectory(fetcher=fetch, clock=clock)
    down = True
    with pytest.raises(ProviderUnreachable):
        directory.metadata(ISSUER)
    down = False
    clock.pass_by(60)
    directory.metadata(ISSUER)
    down = True
    clock.pass_by(3600)
    assert directory.metadata(ISSUER)["number"] == 1
    contexts = [record.context for record in caplog.records if "metadata" in record.message]  # type: ignore[attr-defined]
    assert [context["served_stale"] for context in contexts] == [False, True]
    assert [context["issuer"] for context in contexts] == [ISSUER, ISSUER]
    assert [str(context["reason"]) for context in contexts]
    assert {context["url"] for context in contexts} == {well_known_url(ISSUER)}


@pytest.mark.parametrize(("age", "serves"), [(86399.5, True), (86400, False)])
def test_metadata_serves_for_a_day_while_the_provider_is_down(age: float, serves: bool) -> None:
    clock, documents = ManualClock(), Documents()
    down = False

    def fetch(url: str, *, timeout: float) -> Mapping[str, object]:
        if down:
            raise ProviderUnreachable("nothing is there", url=url)
        return documents(url, timeout=timeout)

    directory = ProviderDirectory(fetcher=fetch, clock=clock)
    directory.metadata(ISSUER)
    down = True
    clock.now = NOW + age
    if serves:
        assert directory.metadata(ISSUER)["number"] == 1
        return
    with pytest.raises(ProviderUnreachable):
        directory.metadata(ISSUER)
