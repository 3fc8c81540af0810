"""The session cookie in an authorizer's event of every shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenantgate.authorizer.cookies import secret_of
from tenantgate.authorizer.events import read_event
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.identity.session_cookie import SESSION_COOKIE
from tests.fixtures.authorizer.events import authorizer_event
from tests.fixtures.authorizer.sessions import COOKIE_SHAPES, cookie_event

ONE, TWO = f"{SESSION_COOKIE}=one", f"{SESSION_COOKIE}=two"


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
def test_every_shape_with_headers_carries_the_cookie(shape: str) -> None:
    assert secret_of(read_event(cookie_event(shape, f"theme=dark; {ONE}; lang=pt"))) == "one"
    assert secret_of(read_event(cookie_event(shape, "theme=dark; lang=pt"))) is None
    assert secret_of(read_event(cookie_event(shape))) is None


@pytest.mark.parametrize("shape", ["rest-token", "appsync"])
def test_a_shape_with_only_a_token_carries_no_cookie(shape: str) -> None:
    event = authorizer_event(shape, None) | {"cookies": [ONE], "headers": {"cookie": ONE}}
    event |= {"requestHeaders": {"cookie": ONE}, "authorizationToken": ONE}
    assert secret_of(read_event(event)) is None


@pytest.mark.parametrize("shape", COOKIE_SHAPES)
@pytest.mark.parametrize("authorization", ["", "Basic eA==", "Bearer", f"Session {ONE}", ONE])
def test_only_an_authorization_header_decides_if_there_is_one(shape: str, authorization: str) -> None:
    event = cookie_event(shape, ONE, authorization=authorization)
    assert secret_of(read_event(event)) is None


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "websocket"])
def test_an_authorization_header_in_either_member_decides(shape: str) -> None:
    for member, value in (("headers", None), ("multiValueHeaders", []), ("multiValueHeaders", ["Bearer x"])):
        event = cookie_event(shape, ONE)
        event[member]["AUTHORIZATION"] = value
        assert secret_of(read_event(event)) == ("one" if value == [] else None)


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "websocket"])
def test_several_lines_of_other_cookies_are_not_refused(shape: str) -> None:
    assert secret_of(read_event(cookie_event(shape, "a=1", "b=2"))) is None


type Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "websocket"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda event: event["multiValueHeaders"]["Cookie"].append("a=1"), id="a-second-line"),
        pytest.param(lambda event: event["multiValueHeaders"]["Cookie"].insert(0, "a=1"), id="an-earlier-line"),
        pytest.param(lambda event: event["multiValueHeaders"]["Cookie"].append(TWO), id="another-session"),
        pytest.param(lambda event: event["multiValueHeaders"].update(cookie=[ONE]), id="two-spellings-of-lists"),
        pytest.param(lambda event: event["headers"].update(COOKIE=ONE), id="two-spellings"),
        pytest.param(lambda event: event["headers"].update(Cookie=TWO), id="another-in-the-other-member"),
        pytest.param(lambda event: event["headers"].update(Cookie="a=1"), id="none-in-the-other-member"),
        pytest.param(lambda event: event["multiValueHeaders"].update(Cookie=["a=1"]), id="none-in-the-list"),
        pytest.param(lambda event: event.update(cookies=[TWO]), id="another-in-a-list-of-pairs"),
    ],
)
def test_several_lines_and_members_that_differ_are_refused(shape: str, change: Change) -> None:
    event = cookie_event(shape, ONE)
    change(event)
    with pytest.raises(AuthenticationRequired, match="more than once"):
        secret_of(read_event(event))


@pytest.mark.parametrize("shape", ["http-2.0", "http-2.0-policy"])
@pytest.mark.parametrize(
    ("cookies", "header"),
    [
        pytest.param([ONE, TWO], None, id="two"),
        pytest.param([ONE, ONE], None, id="twice-the-same"),
        pytest.param([f"a=1; {ONE}; {TWO}"], None, id="two-in-one-pair"),
        pytest.param([f"a=1,{ONE}"], None, id="two-headers-joined"),
        pytest.param([ONE], TWO, id="another-in-the-header"),
        pytest.param(["a=1"], ONE, id="only-in-the-header"),
        pytest.param([ONE], "a=1", id="only-in-the-list"),
    ],
)
def test_a_list_of_pairs_has_one_session(shape: str, cookies: list[str], header: str | None) -> None:
    event = cookie_event(shape) | {"cookies": cookies}
    if header is not None:
        event["headers"]["cookie"] = header
    with pytest.raises(AuthenticationRequired):
        secret_of(read_event(event))


@pytest.mark.parametrize("shape", ["http-2.0", "http-2.0-policy"])
def test_the_list_and_the_header_may_agree(shape: str) -> None:
    event = cookie_event(shape) | {"cookies": ["a=1", ONE]}
    event["headers"]["cookie"] = f"a=1; {ONE}"
    assert secret_of(read_event(event)) == "one"
    event.pop("cookies")
    assert secret_of(read_event(event)) == "one"


@pytest.mark.parametrize("cookies", [None, "text", {"a": 1}, [None, 7], []])
def test_a_list_of_another_type_has_no_cookie(cookies: object) -> None:
    assert secret_of(read_event(cookie_event("http-2.0") | {"cookies": cookies})) is None
