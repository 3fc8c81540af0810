"""The session cookie in a `Cookie` header: it has one reading, or is refused."""

from __future__ import annotations

import pytest

from tenantgate.errors.access import AuthenticationRequired
from tenantgate.identity.session_cookie import SESSION_COOKIE, session_secret

NAME = SESSION_COOKIE


def test_the_name_binds_the_cookie_to_its_host() -> None:
    """Another name would sign every user out, and without the prefix a subdomain could set the cookie."""
    assert NAME == "__Host-tg_session"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([f"{NAME}=s"], id="only-this-one"),
        pytest.param([f"a=1; {NAME}=s; b=2"], id="among-others"),
        pytest.param([f"a=1;{NAME}=s;b=2"], id="without-blanks"),
        pytest.param(["a=1", f"{NAME}=s", "b=2"], id="a-list-of-pairs"),
        pytest.param([f"theme; =; {NAME}=s;"], id="next-to-malformed-ones"),
    ],
)
def test_the_cookie_is_found_among_others(lines: list[str]) -> None:
    assert session_secret(lines) == "s"


@pytest.mark.parametrize("lines", [[], [""], ["a=1; b=2"], ["tg_session=s"], ["__Secure-tg_session=s"], [";;;"]])
def test_another_name_is_not_the_session_cookie(lines: list[str]) -> None:
    assert session_secret(lines) is None


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([f"{NAME}=s; {NAME}=s"], id="twice-the-same"),
        pytest.param([f"{NAME}=s; {NAME}=t"], id="twice"),
        pytest.param([f"{NAME}=s", f"{NAME}=t"], id="in-two-lines"),
        pytest.param([f"{NAME}=s,{NAME}=t"], id="joined-by-a-comma"),
        pytest.param([f"{NAME}=s; {NAME.upper()}=t"], id="also-in-upper-case"),
        pytest.param([f"{NAME.lower()}=s"], id="in-lower-case"),
        pytest.param([f"{NAME}=s; a={NAME}"], id="as-the-value-of-another"),
        pytest.param([f"a=1,{NAME}=s"], id="behind-a-comma"),
        pytest.param([f"x{NAME}=s"], id="as-the-end-of-a-name"),
        pytest.param([f"{NAME}2=s"], id="as-the-beginning-of-a-name"),
        pytest.param([f"{NAME} =s"], id="a-blank-before-the-equals-sign"),
        pytest.param([f"a=1;  {NAME}=s"], id="two-blanks-before-the-name"),
        pytest.param([f"a=1;\t{NAME}=s"], id="a-tab-before-the-name"),
        pytest.param([f"{NAME}"], id="no-equals-sign"),
        pytest.param([f'"{NAME}"=s'], id="in-quotes"),
        pytest.param([f"{NAME}=s\x00"], id="a-nul"),
        pytest.param([f"{NAME}=s\r\nx: y"], id="a-line-break"),
        pytest.param([f"{NAME}=\N{LATIN SMALL LETTER E WITH ACUTE}"], id="not-ascii"),
        pytest.param([f"={NAME}=s"], id="a-cookie-without-a-name"),
        pytest.param([f"{NAME}={'s' * 4096}"], id="too-long"),
    ],
)
def test_a_cookie_that_could_be_read_in_two_ways_is_refused(lines: list[str]) -> None:
    with pytest.raises(AuthenticationRequired) as refused:
        session_secret(lines)
    assert refused.value.private == {"header": "cookie"}


def test_an_empty_value_is_a_value() -> None:
    """So that a request with a cleared cookie is one of an ended session."""
    assert session_secret([f"{NAME}="]) == ""


def test_the_other_cookies_may_be_long() -> None:
    assert session_secret([f"a={'x' * 8000}; {NAME}=s"]) == "s"


def test_name_and_value_have_at_most_4096_characters() -> None:
    longest = "s" * (4096 - len(f"{NAME}="))
    assert session_secret([f"{NAME}={longest}"]) == longest
    with pytest.raises(AuthenticationRequired, match="too long"):
        session_secret([f"{NAME}={longest}s"])
