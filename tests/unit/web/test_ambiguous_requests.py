import pytest
from starlette.types import Message, Receive, Scope, Send

from tenantgate.errors.access import AuthenticationRequired
from tenantgate.errors.base import TenantgateError
from tenantgate.web.ambiguous_requests import RejectAmbiguousRequests
from tenantgate.web.errors import AmbiguousRequest

HOST = (b"host", b"gate.test")

pytestmark = pytest.mark.anyio


async def passes(path: str = "/", headers: tuple[tuple[bytes, bytes], ...] = (HOST,), kind: str = "http") -> bool:
    passed = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal passed
        passed = True

    async def receive() -> Message:
        raise AssertionError("no body is read")

    async def send(message: Message) -> None:
        raise AssertionError("no response is sent")

    await RejectAmbiguousRequests(app)({"type": kind, "path": path, "headers": list(headers)}, receive, send)
    return passed


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((HOST,), id="host"),
        pytest.param(((b"host", b"127.0.0.1:3000"),), id="host-with-port"),
        pytest.param((HOST, (b"cookie", b"a=1"), (b"cookie", b"b=2")), id="two-cookie-lines"),
        pytest.param((HOST, (b"accept", b"a"), (b"accept", b"b")), id="a-list-in-two-lines"),
    ],
)
async def test_passes_on_unambiguous_requests(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert await passes(headers=headers)


@pytest.mark.parametrize("path", ["/me\n", "/\x00", "/a\x7f", "/a\tb"])
async def test_rejects_control_characters_in_the_path(path: str) -> None:
    with pytest.raises(AmbiguousRequest, match="control character"):
        await passes(path)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (b"authorization", AuthenticationRequired),
        (b"content-length", AmbiguousRequest),
        (b"content-type", AmbiguousRequest),
        (b"host", AmbiguousRequest),
        (b"origin", AmbiguousRequest),
        (b"sec-fetch-site", AmbiguousRequest),
    ],
)
@pytest.mark.parametrize("values", [(b"gate.test", b"gate.test"), (b"gate.test", b"other.test")])
async def test_rejects_a_repeated_header_that_may_come_once(
    name: bytes, error: type[TenantgateError], values: tuple[bytes, bytes]
) -> None:
    with pytest.raises(error, match="more than once"):
        await passes(headers=tuple((name, value) for value in values))


@pytest.mark.parametrize("host", [b"", b"a b", b"u@gate.test", b"gate.test/", b"gate.test:x", b"g\xe4te.test"])
async def test_rejects_a_malformed_host(host: bytes) -> None:
    with pytest.raises(AmbiguousRequest, match="malformed Host"):
        await passes(headers=((b"host", host),))


async def test_passes_on_other_events() -> None:
    assert await passes("/\n", kind="lifespan")
