"""The exact words for a page whose origin is not allowed."""

import pytest

from tenantgate.settings.allowed_origins import name_remedy, origin_remedy, parse_origin

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
        *(
            pytest.param(
                text,
                API,
                "Serve the page from an origin that ALLOWED_ORIGINS has: "
                "a page that is opened as a file, or that runs in a sandbox, has none.",
                id=name,
            )
            for text, name in (("null", "a-file"), ("\x1b[2J", "not-an-origin"), ("*", "a-wildcard"))
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


@pytest.mark.parametrize(
    ("origin", "host", "base_url", "remedy"),
    [
        pytest.param(
            "http://localhost:5173",
            "127.0.0.1:3000",
            API,
            "Call the API at http://localhost:3000: browsers send no cookies of 127.0.0.1 from pages of localhost.",
            id="the-app-calls-another-name",
        ),
        pytest.param(
            "http://127.0.0.1:5173",
            "localhost:3000",
            API,
            f"Open the app at http://localhost:5173, which ALLOWED_ORIGINS has: {NO_COOKIES}",
            id="the-app-has-another-name",
        ),
        pytest.param(
            "http://localhost:5173",
            "127.0.0.1:3000",
            "http://127.0.0.1:3000",
            "Add http://127.0.0.1:5173 to ALLOWED_ORIGINS if it is your app, and open the app there: "
            "browsers send no cookies of 127.0.0.1 from pages of localhost.",
            id="the-stack-has-another-name",
        ),
        pytest.param("http://localhost:5173", "localhost:3000", API, None, id="one-name"),
        pytest.param("http://127.0.0.1:5173", "127.0.0.1:3000", API, None, id="both-at-another-name"),
        pytest.param("https://app.example.com", "127.0.0.1:3000", API, None, id="an-app-elsewhere"),
        pytest.param("http://localhost:5173", "gate.example.com", API, None, id="an-api-elsewhere"),
        pytest.param("http://localhost:5173", "127.0.0.1", "https://gate.example.com", None, id="deployed"),
        pytest.param("null", "127.0.0.1:3000", API, None, id="no-origin"),
        pytest.param("http://localhost:5173", "", API, None, id="no-host"),
    ],
)
def test_the_remedy_for_two_names(origin: str, host: str, base_url: str, remedy: str | None) -> None:
    assert name_remedy(origin, host, allowed=ALLOWED, base_url=base_url) == remedy
