import pytest
from starlette.responses import Response

from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, set_cookie


def test_a_cookie_carries_every_attribute() -> None:
    response = Response()
    set_cookie(response, SESSION_COOKIE, "org-1.secret", max_age=3600)
    assert response.headers["set-cookie"] == (
        "__Host-tg_session=org-1.secret; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"
    )


def test_clearing_uses_the_same_attributes() -> None:
    response = Response()
    clear_cookie(response, SESSION_COOKIE)
    assert response.headers["set-cookie"] == ("__Host-tg_session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_several_cookies_are_several_headers() -> None:
    response = Response()
    set_cookie(response, "a", "1", max_age=1)
    clear_cookie(response, "b")
    assert len(response.headers.getlist("set-cookie")) == 2


@pytest.mark.parametrize("value", ["a;b", "a b", "a,b", 'a"b', "a\\b", "a\r\nSet-Cookie: x=y", "ä", "a" * 4000])
def test_a_value_that_no_cookie_may_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        set_cookie(Response(), SESSION_COOKIE, value, max_age=1)
