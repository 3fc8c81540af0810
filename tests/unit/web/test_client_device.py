"""Names of devices: of closed tables, for any `User-Agent`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.web.client_device import device_name

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/140.0.0.0 Safari/537.36", "Chrome on Linux"),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
        ),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0",
            "Opera on macOS",
        ),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
                "Safari/605.1.15"
            ),
            "Safari on macOS",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                "CriOS/140.0.0.0 Mobile/15E148 Safari/604.1"
            ),
            "Chrome on iPhone",
        ),
        (
            (
                "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 "
                "Mobile/15E148 Safari/605.1.15"
            ),
            "Firefox on iPad",
        ),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 (Windows NT 10.0)", "Windows"),
        ("python-httpx/1.0", None),
        ("", None),
        (None, None),
        ("<script>alert(1)</script>", None),
        ("x" * 100_000 + " Firefox/140.0", None),
    ],
)
def test_a_user_agent_has_a_short_name(user_agent: str | None, expected: str | None) -> None:
    assert device_name(user_agent) == expected


@given(st.text(max_size=600), st.sampled_from(["Firefox/1", "Windows", "Chrome/2 Edg/3", ""]))
def test_a_name_contains_nothing_of_the_header(text: str, known: str) -> None:
    name = device_name(f"{text}{known}")
    assert name is None or set(name.split(" on ")) <= {
        "Edge", "Opera", "Samsung Internet", "Vivaldi", "Firefox", "Chrome", "Safari", "curl",
        "Windows", "iPhone", "iPad", "Android", "ChromeOS", "macOS", "Linux",
    }  # fmt: skip
