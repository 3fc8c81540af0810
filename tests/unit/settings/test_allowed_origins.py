"""The exact words for a page whose origin is not allowed."""

import pytest

from tenantgate.settings.allowed_origins import origin_remedy, parse_origin

API = "http://localhost:3000"
ALLOWED = ("http://localhost:3000", "http://localhost:5173")
NO_COOKIES = "browsers send no cookies of localhost from pages of 127.0.0.1."


@pytest.mark.parametrize(
    ("origin", "base_url", "remedy"),
    [
        pytest.param(
            "http://127.0.0.1:5173",
            API,
            f"Open the app at http://localhost:5173, which ALLOWED_ORIGINS has: {NO_COOKIES}",
            id="another-name-of-an-allowed-origin",
        ),
        pytest.param(
            "http://127.0.0.1:3000",
            API,
            f"Open the app at http://localhost:3000, which ALLOWED_ORIGINS has: {NO_COOKIES}",
            id="another-name-of-the-api",
        ),
        pytest.param(
            "http://127.0.0.1:4200",
            API,
            "Add http://localhost:4200 to ALLOWED_ORIGINS if it is your app, and open the app there: " + NO_COOKIES,
            id="another-name-and-port",
        ),
        pytest.param(
            "http://[::1]:5173",
            API,
            "Open the app at http://localhost:5173, which ALLOWED_ORIGINS has: "
            "browsers send no cookies of localhost from pages of [::1].",
            id="ipv6",
        ),
        pytest.param(
            "http://localhost:5173",
            "http://127.0.0.1:3000",
            "Add http://127.0.0.1:5173 to ALLOWED_ORIGINS if it is your app, and open the app there: "
            "browsers send no cookies of 127.0.0.1 from pages of localhost.",
            id="an-api-at-127.0.0.1",
        ),
        pytest.param(
            "http://localhost:4200",
            API,
            "Add http://localhost:4200 to ALLOWED_ORIGINS if it is your app.",
            id="another-port",
        ),
        pytest.param(
            "https://app.example.com",
            "https://gate.example.com",
            "Add https://app.example.com to ALLOWED_ORIGINS if it is your app.",
            id="deployed",
        ),
        pytest.param(
            "http://127.0.0.1:5173",
            "https://gate.example.com",
            "Add http://127.0.0.1:5173 to ALLOWED_ORIGINS if it is your app.",
            id="a-local-app-of-a-deployed-api",
        ),
    ],
)
def test_the_remedy(origin: str, base_url: str, remedy: str) -> None:
    assert origin_remedy(origin, allowed=ALLOWED, base_url=base_url) == remedy


@pytest.mark.parametrize(
    "text",
    ["", "null", "*", "localhost:5173", "http://localhost:5173/", "HTTP://localhost", "http://localhost:80", "ftp://a.b",
     "http://a.example http://b.example", "http://\x1b[2J", "http://" + "a." * 200 + "test"],
)  # fmt: skip
def test_any_other_text_is_not_an_origin(text: str) -> None:
    assert parse_origin(text) is None
