"""The client secret: its sources, and texts that can't be one."""

from __future__ import annotations

import getpass
import io
import sys

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.deploy.client_secret import given_secret


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_comes_from_the_variable_or_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("of-the-input\nmore\n"))

    assert given_secret({"OIDC_CLIENT_SECRET": "of-the-variable"}) == "of-the-variable"
    assert given_secret({"OIDC_CLIENT_SECRET": "-"}) == "of-the-input"
    assert given_secret({}) == ""


def test_a_user_at_a_terminal_enters_it_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: f"entered {len(prompt) > 0}")

    assert given_secret({}) == "entered True"
    assert given_secret({"OIDC_CLIENT_SECRET": "of-the-variable"}) == "of-the-variable"


@pytest.mark.parametrize("text", ["two\nlines", "x" * 5000, "\x1b[2J"])
def test_a_text_that_cannot_be_a_secret_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(Failure) as refused:
        given_secret({"OIDC_CLIENT_SECRET": text})

    assert text not in str(refused.value) + refused.value.remedy
