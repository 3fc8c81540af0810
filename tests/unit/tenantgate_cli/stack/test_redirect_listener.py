"""The listener for one redirect: only the expected one counts, and only once."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.stack.ports import bind
from tenantgate_cli.stack.redirect_listener import RedirectListener, receive_redirect

pytestmark = pytest.mark.anyio

URI = "http://localhost:8080/callback"
STATE = "s" * 43
GOOD = f"code=c&state={STATE}&iss=http%3A%2F%2Fidp.example"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Exchange:
    """Records the parameters of each exchange. `failure` is raised, if set."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.got: list[Mapping[str, str]] = []
        self._failure = failure

    def __call__(self, returned: Mapping[str, str]) -> str:
        self.got.append(returned)
        if self._failure is not None:
            raise self._failure
        return "the token"


async def visit(
    listener: RedirectListener[str],
    query: str = GOOD,
    *,
    host: str = "localhost:8080",
    path: str = "/callback",
    method: str = "GET",
) -> tuple[int, str]:
    """Return the status and the page."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    await listener({**scope, "headers": [(b"host", host.encode())]}, None, send)  # type: ignore[arg-type]
    headers = dict(sent[0]["headers"])
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")
    return sent[0]["status"], sent[1]["body"].decode()


async def test_the_redirect_completes_the_sign_in() -> None:
    exchange = Exchange()
    listener = RedirectListener(URI, STATE, exchange)
    status, page = await visit(listener, f"{GOOD}&session_state=x")
    assert status == 200
    assert "<h1>You are signed in</h1>\n<p>The terminal has the token. You can close this page.</p>" in page
    assert exchange.got == [{"code": "c", "state": STATE, "iss": "http://idp.example", "session_state": "x"}]
    assert listener.result.result() == "the token"


@pytest.mark.parametrize(
    ("query", "given", "status", "title"),
    [
        pytest.param("", {}, 400, "This is another sign-in", id="no-state"),
        pytest.param("code=c&state=", {}, 400, "This is another sign-in", id="empty-state"),
        pytest.param("code=c&state=" + "t" * 43, {}, 400, "This is another sign-in", id="forged-state"),
        pytest.param(f"{GOOD}&state={STATE}", {}, 400, "This is another sign-in", id="state-twice"),
        pytest.param(f"{GOOD}&code=d", {}, 400, "This is another sign-in", id="code-twice"),
        pytest.param(f"code=c&STATE={STATE}", {}, 400, "This is another sign-in", id="another-name"),
        pytest.param(GOOD, {"path": "/"}, 404, "There is nothing here", id="another-path"),
        pytest.param(GOOD, {"path": "/callback/"}, 404, "There is nothing here", id="a-slash-more"),
        pytest.param(GOOD, {"path": "/favicon.ico"}, 404, "There is nothing here", id="icon"),
        pytest.param(GOOD, {"method": "POST"}, 404, "There is nothing here", id="a-form-of-another-page"),
        pytest.param(GOOD, {"method": "HEAD"}, 404, "There is nothing here", id="head"),
        pytest.param(GOOD, {"host": "evil.example:8080"}, 404, "There is nothing here", id="dns-rebinding"),
        pytest.param(GOOD, {"host": "127.0.0.1:8080"}, 404, "There is nothing here", id="another-loopback-name"),
        pytest.param(GOOD, {"host": ""}, 404, "There is nothing here", id="no-host"),
    ],
)  # fmt: skip
async def test_any_other_request_changes_nothing(query: str, given: dict[str, str], status: int, title: str) -> None:
    exchange = Exchange()
    listener = RedirectListener(URI, STATE, exchange)
    got, page = await visit(listener, query, **given)
    assert got == status
    assert f"<h1>{title}</h1>" in page
    assert exchange.got == []
    assert not listener.result.done()
    assert (await visit(listener))[0] == 200


async def test_a_redirect_counts_once_also_when_two_come_at_the_same_time() -> None:
    exchange = Exchange()
    listener = RedirectListener(URI, STATE, exchange)
    statuses = [status for status, _ in await asyncio.gather(*(visit(listener) for _ in range(20)))]
    assert sorted(statuses) == [200] + [409] * 19
    _, page = await visit(listener)
    assert "<p>Each redirect can be used once. Start the command again.</p>" in page
    assert len(exchange.got) == 1


@pytest.mark.parametrize("error", [Failure("refused"), KeyError("access_token")])
async def test_a_failed_exchange_is_shown_and_raised(error: Exception) -> None:
    listener = RedirectListener(URI, STATE, Exchange(error))
    status, page = await visit(listener, f"error=access_denied&state={STATE}")
    assert status == 400
    assert "<h1>The sign-in failed</h1>\n<p>The terminal shows why. You can close this page.</p>" in page
    assert listener.result.exception() is error


async def test_no_text_of_a_request_is_in_a_page() -> None:
    listener = RedirectListener(URI, STATE, Exchange(Failure("no")))
    for query in ("state=%3Cscript%3E", f"state={STATE}&error=%3Cscript%3E"):
        assert "script" not in (await visit(listener, query))[1]
    assert isinstance(listener.result.exception(), Failure)


async def test_an_exchange_that_outlasts_the_time_changes_nothing() -> None:
    listener = RedirectListener(URI, STATE, Exchange())
    listener.result.cancel()
    assert (await visit(listener))[0] == 200


async def test_it_gives_up_after_the_time_and_frees_the_port() -> None:
    called: list[str] = []
    with bind(0) as bound:
        port = bound.port
        with pytest.raises(TimeoutError):
            await receive_redirect(bound, URI, STATE, Exchange(), started=lambda: called.append("started"), seconds=0.1)
    assert called == ["started"]
    bind(port).close()
