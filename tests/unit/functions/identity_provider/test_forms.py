import pytest
from starlette.requests import Request
from starlette.types import Message

from functions.identity_provider.forms import submitted
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.web.errors import MalformedBody, UnsupportedMediaType

FORM = b"application/x-www-form-urlencoded"

pytestmark = pytest.mark.anyio


def request(method: str, *, query: bytes = b"", body: bytes = b"", media_type: bytes = FORM) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": method, "query_string": query, "headers": [(b"content-type", media_type)]}
    return Request(scope, receive)


@pytest.mark.parametrize(
    ("encoded", "values", "repeated"),
    [
        pytest.param(b"a=1&b=x+y%2F", {"a": "1", "b": "x y/"}, set(), id="values"),
        pytest.param(b"a=1&a=2&b=3", {"a": "1", "b": "3"}, {"a"}, id="repeated"),
        pytest.param(b"a=&b&c=1", {"c": "1"}, set(), id="without-a-value"),
        pytest.param(b"a=&a=2", {"a": "2"}, {"a"}, id="repeated-without-a-value"),
        pytest.param(b"", {}, set(), id="empty"),
    ],
)
async def test_a_query_and_a_form_are_parsed_the_same_way(
    encoded: bytes, values: dict[str, str], repeated: set[str]
) -> None:
    expected = Submitted(values, frozenset(repeated))

    assert await submitted(request("GET", query=encoded)) == expected
    assert await submitted(request("POST", query=b"a=ignored", body=encoded)) == expected


@pytest.mark.parametrize("media_type", [FORM + b"; charset=utf-8", FORM.upper()])
async def test_a_forms_media_type_may_have_parameters(media_type: bytes) -> None:
    assert (await submitted(request("POST", body=b"a=1", media_type=media_type))).values == {"a": "1"}


@pytest.mark.parametrize("media_type", [b"application/json", b"text/plain", b"multipart/form-data", b""])
async def test_any_other_media_type_is_refused(media_type: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        await submitted(request("POST", body=b"a=1", media_type=media_type))


@pytest.mark.parametrize("encoded", [b"a=\xe4", b"a=%ff", b"&".join([b"a=1"] * 51)])
async def test_parameters_that_can_not_be_decoded_or_are_too_many_are_refused(encoded: bytes) -> None:
    for method in ("GET", "POST"):
        with pytest.raises(MalformedBody):
            await submitted(request(method, query=encoded, body=encoded))
