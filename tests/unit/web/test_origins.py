from types import SimpleNamespace

import pytest
from starlette.requests import Request

from tenantgate.errors.access import CrossSiteRequest
from tenantgate.web.origins import require_same_site
from tests.fixtures.web.setup import ORIGIN, make_settings


def request_with(headers: dict[str, str]) -> Request:
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "app": SimpleNamespace(settings=make_settings()),
        }
    )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": "https://gate.example.test"}, id="our-own-origin"),
        pytest.param({"origin": ORIGIN}, id="an-allowed-origin"),
        pytest.param({"origin": ORIGIN, "sec-fetch-site": "cross-site"}, id="an-allowed-origin-on-another-site"),
        pytest.param({"sec-fetch-site": "same-origin"}, id="only-fetch-metadata"),
        pytest.param({"sec-fetch-site": "none"}, id="the-person-typed-it"),
    ],
)
def test_accepts_own_and_allowed_origins(headers: dict[str, str]) -> None:
    require_same_site(request_with(headers))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": "https://evil.example"}, id="foreign"),
        pytest.param({"origin": "null"}, id="a-sandboxed-frame"),
        pytest.param({"origin": "http://gate.example.test"}, id="another-scheme"),
        pytest.param({"origin": "https://gate.example.test:8443"}, id="another-port"),
        pytest.param({"origin": "https://gate.example.test.evil.example"}, id="a-suffix"),
        pytest.param({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, id="origin-decides"),
        pytest.param({"sec-fetch-site": "same-site"}, id="a-sibling-subdomain"),
        pytest.param({"sec-fetch-site": "cross-site"}, id="another-site"),
        pytest.param({"referer": "https://gate.example.test/"}, id="a-referer-proves-nothing"),
        pytest.param({}, id="nothing"),
    ],
)
def test_refuses_other_origins(headers: dict[str, str]) -> None:
    with pytest.raises(CrossSiteRequest):
        require_same_site(request_with(headers))
