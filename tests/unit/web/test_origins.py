from types import SimpleNamespace

import pytest
from starlette.requests import Request

from tenantgate.errors.access import CrossSiteRequest
from tenantgate.web.origins import refuse_other_loopback_name, require_same_site
from tests.fixtures.web.setup import ORIGIN, make_settings


def request_with(headers: dict[str, str], **variables: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "app": SimpleNamespace(settings=make_settings(**variables)),
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


LOCAL = {"PUBLIC_BASE_URL": "http://localhost:3000", "ALLOWED_ORIGINS": "http://localhost:5173"}
REMEDY = (
    "Open the app at http://localhost:5173, which ALLOWED_ORIGINS has: "
    "browsers send no cookies of localhost from pages of 127.0.0.1."
)


@pytest.mark.parametrize(("environment", "detail"), [("development", REMEDY), ("test", None)])
def test_only_in_development_the_response_names_the_remedy(environment: str, detail: str | None) -> None:
    request = request_with({"origin": "http://127.0.0.1:5173"}, ENVIRONMENT=environment, **LOCAL)
    with pytest.raises(CrossSiteRequest) as refused:
        require_same_site(request)
    assert refused.value.detail == detail
    assert refused.value.private == {"origin": "http://127.0.0.1:5173", "remedy": REMEDY}


PAGE = {"origin": "http://localhost:5173", "host": "127.0.0.1:3000", "sec-fetch-site": "cross-site"}


def test_a_page_that_calls_the_api_by_another_loopback_name_learns_the_right_one() -> None:
    for refuse in (refuse_other_loopback_name, require_same_site):
        with pytest.raises(CrossSiteRequest) as refused:
            refuse(request_with(PAGE, ENVIRONMENT="development", **LOCAL))
        assert refused.value.detail == (
            "Call the API at http://localhost:3000: browsers send no cookies of 127.0.0.1 from pages of localhost."
        )


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        pytest.param({}, "test", id="only-in-development"),
        pytest.param({"sec-fetch-site": "same-site"}, "development", id="the-browser-says-same-site"),
        pytest.param({"sec-fetch-site": None}, "development", id="not-a-browser"),
        pytest.param({"host": "localhost:3000"}, "development", id="the-same-name"),
    ],
)
def test_other_requests_pass(changes: dict[str, str | None], environment: str) -> None:
    headers = {name: value for name, value in {**PAGE, **changes}.items() if value is not None}
    require_same_site(request_with(headers, ENVIRONMENT=environment, **LOCAL))
