"""The addresses of a second stack's APIs: their ports, their lines, and the variables of the functions behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_gateway.model import Api, FunctionSpec, Kind, Route, Template
from tenantgate_cli.stack.api_addresses import MANAGEMENT_VARIABLE, ApiAddress, addresses, tls_hint, with_addresses
from tenantgate_cli.stack.ports import BoundPort, bind

LISTED = Route("GET", "/orders/{id}", "t-Hello", "Gate"), Route("GET", "/orders", "t-Hello", "Gate")
CHAT = Api("t-Chat", (Route("$connect", "", "t-Chat1"),), {}, kind=Kind.WEBSOCKET, id="Chat", stage="live")
REST = Api("t-Rest", LISTED, {}, kind=Kind.REST, id="Rest", stage="v1")
OURS = Template((), (Api("Ours", (), {}),), {"Ours": FunctionSpec("Ours", "a.b", Path("/"), Path("/"))})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without a configuration of AWS."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def at(api: Api, port: int) -> ApiAddress:
    return ApiAddress(api, BoundPort(port, ()))


def variables(found: list[ApiAddress], name: str = "t-Chat1", **env: str) -> dict[str, str]:
    """Return what a function with these variables gets."""
    function = FunctionSpec(name, "a.b", Path("/"), Path("/"), env=env)
    template = OURS.joined(Template((), tuple(address.api for address in found), {name: function}))
    joined = with_addresses(template, found, [name])
    assert joined.functions["Ours"].env == {}
    return dict(joined.functions[name].env)


def test_each_api_except_ours_gets_the_next_free_port() -> None:
    http = Api("t-Http", (), {}, id="Http")
    template = OURS.joined(Template((), (http, REST, CHAT), {}))
    with bind(0) as taken, addresses(template, f"http://localhost:{taken.port - 1}") as found:
        ports = [address.bound.port for address in found]
        assert taken.port not in ports
        assert len(set(ports)) == 3
        assert [address.url for address in found] == [
            f"http://localhost:{ports[0]}",
            f"http://localhost:{ports[1]}/v1",
            f"ws://localhost:{ports[2]}/live",
        ]
        assert [address.title for address in found] == ["Http, HTTP API", "Rest, REST API", "Chat, WebSocket API"]


@pytest.mark.parametrize(
    ("api", "option", "line"),
    [
        (CHAT, "", "tenantgate connect ws://localhost:3001/live"),
        (CHAT, " --data-dir x", "tenantgate connect --data-dir x ws://localhost:3001/live"),
        (REST, "", 'curl -H "Authorization: Bearer $(tenantgate token)" http://localhost:3001/v1/orders'),
        (
            REST,
            " --data-dir x",
            'curl -H "Authorization: Bearer $(tenantgate token --data-dir x)" http://localhost:3001/v1/orders',
        ),
        (Api("t-Http", LISTED[:1], {}, id="Http"), "", ""),
    ],
)
def test_the_line_to_paste(api: Api, option: str, line: str) -> None:
    assert at(api, 3001).example(option) == line


def test_a_function_behind_a_websocket_api_learns_where_to_send() -> None:
    assert variables([at(CHAT, 3001)]) == {
        MANAGEMENT_VARIABLE: "http://localhost:3001/live",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    assert variables([at(REST, 3001)]) == {}


def test_a_developers_own_credentials_are_not_replaced(home: Path) -> None:
    (home / ".aws").mkdir()
    assert variables([at(CHAT, 3001)]) == {MANAGEMENT_VARIABLE: "http://localhost:3001/live"}


def test_addresses_on_aws_become_those_on_this_machine() -> None:
    host = "execute-api.us-east-1.amazonaws.com"
    found = [at(REST, 3001), at(CHAT, 3002)]
    given = variables(
        found,
        **{
            MANAGEMENT_VARIABLE: f"https://Chat.{host}/live",
            "CHAT": f"wss://Chat.{host}/live",
            "ORDERS": f"https://Rest.{host}/v1/orders",
            "ELSEWHERE": f"https://other.{host}/v1",
        },
    )
    assert {name: value for name, value in given.items() if not name.startswith("AWS_") or "ENDPOINT" in name} == {
        MANAGEMENT_VARIABLE: "http://localhost:3002/live",
        "CHAT": "ws://localhost:3002/live",
        "ORDERS": "http://localhost:3001/v1/orders",
        "ELSEWHERE": f"https://other.{host}/v1",
    }


def test_with_two_websocket_apis_only_the_functions_behind_one_get_its_address() -> None:
    other = Api("t-Other", (), {}, kind=Kind.WEBSOCKET, id="Other", stage="live")
    found = [at(other, 3001), at(CHAT, 3002)]
    assert variables(found)[MANAGEMENT_VARIABLE] == "http://localhost:3002/live"
    assert variables(found, "t-Worker") == {}


def test_a_function_that_calls_over_tls_gets_a_remedy() -> None:
    found = [at(REST, 3001), at(CHAT, 3002)]
    failed = "SSL validation failed for https://localhost:3002/live/%40connections/a [SSL] record layer failure"
    assert tls_hint(failed, found) == (
        "there is no TLS on this machine: use boto3's client without endpoint_url, which reads "
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI, or http:// here"
    )
    for other in (
        "SSL validation failed for https://localhost:3003/",
        "https://example.com:3002",
        "http://localhost:3002",
    ):
        assert tls_hint(other, found) == ""
