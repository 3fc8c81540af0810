"""A provider that can be made to misbehave, and the sign-in's application running against it."""

from collections.abc import Iterator

import pytest

from tenantgate.login.provider.calls import Timeouts
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import LoginApp, running_login_app
from tests.fixtures.providers.misbehaving import MisbehavingProvider


@pytest.fixture
def provider() -> Iterator[MisbehavingProvider]:
    with MisbehavingProvider() as running:
        yield running


@pytest.fixture
def app(provider: MisbehavingProvider) -> Iterator[LoginApp]:
    with running_login_app(provider.issuer) as running:
        yield running


@pytest.fixture
def impatient_app(provider: MisbehavingProvider) -> Iterator[LoginApp]:
    """The same application with a limit of one second, for tests that wait for it."""
    with running_login_app(provider.issuer, timeouts=Timeouts(connect=0.5, read=0.5, total=1.0)) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened
