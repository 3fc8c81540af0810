"""The little of a browser that a sign-in needs: cookies, redirects and forms over real HTTP; nothing happens unasked.

Cookies follow RFC 6265bis as far as these tests need it. Like today's browsers it takes and sends `Secure` cookies on
loopback without TLS, and like them it shares cookies between the ports of one host.
"""

from __future__ import annotations

import html
import re
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx2

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Browser:
    """`cookies`: (host, path, name) → value, as they are now. `set_cookies`: every `Set-Cookie` of the last answer."""

    def __init__(self) -> None:
        self.cookies: dict[tuple[str, str, str], str] = {}
        self.set_cookies: list[str] = []
        # Loopback without TLS alone: no certificates need to be read.
        self._http = httpx2.Client(follow_redirects=False, timeout=30, trust_env=False, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, url: str, *, accept: str = HTML, headers: dict[str, str] | None = None) -> httpx2.Response:
        return self._send("GET", url, headers={"accept": accept, **(headers or {})})

    def submit(self, url: str, form: dict[str, str]) -> httpx2.Response:
        return self._send("POST", url, data=form, headers={"accept": HTML})

    def post_json(self, url: str, body: object, *, headers: dict[str, str] | None = None) -> httpx2.Response:
        return self._send("POST", url, json=body, headers={"accept": "application/json", **(headers or {})})

    def post(self, url: str, content: bytes, *, media_type: str) -> httpx2.Response:
        return self._send(
            "POST", url, content=content, headers={"accept": "application/json", "content-type": media_type}
        )

    def named(self, prefix: str) -> dict[str, str]:
        """Cookies by name, of any host."""
        return {name: value for (_, _, name), value in self.cookies.items() if name.startswith(prefix)}

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        data: dict[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
    ) -> httpx2.Response:
        parts = urlsplit(url)
        sent = {
            name: value
            for (host, path, name), value in self.cookies.items()
            if host == parts.hostname and _path_matches(parts.path or "/", path)
        }
        if sent:
            headers = headers | {"cookie": "; ".join(f"{name}={value}" for name, value in sent.items())}
        answer = self._http.request(method, url, headers=headers, data=data, json=json, content=content)
        self._http.cookies.clear()  # ours are the only cookies
        self.set_cookies = answer.headers.get_list("set-cookie")
        for text in self.set_cookies:
            self._store(parts.hostname or "", text)
        return answer

    def _store(self, host: str, text: str) -> None:
        pair, *attributes = (part.strip() for part in text.split(";"))
        name, _, value = pair.partition("=")
        given = {key.strip().lower(): val.strip() for key, _, val in (item.partition("=") for item in attributes)}
        if name.startswith("__Host-"):
            assert "secure" in given, f"{name} must be Secure"
            assert given.get("path") == "/", f"{name} must have Path=/"
            assert "domain" not in given, f"{name} must have no Domain"
        key = (host, given.get("path", "/"), name)
        if given.get("max-age") == "0" or given.get("expires", "").startswith("Thu, 01 Jan 1970"):
            self.cookies.pop(key, None)
        else:
            self.cookies[key] = value


def location(answer: httpx2.Response) -> str:
    """Where a redirect leads, absolute."""
    assert answer.is_redirect, f"no redirect but {answer.status_code}: {answer.text[:500]}"
    return urljoin(str(answer.request.url), answer.headers["location"])


def form_of(answer: httpx2.Response) -> tuple[str, dict[str, str]]:
    """Action (absolute) and hidden fields of the page's first form."""
    page = answer.text
    action = re.search(r'<form[^>]*\saction="([^"]*)"', page)
    assert action is not None, page[:1000]
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page)
    url = urljoin(str(answer.request.url), html.unescape(action.group(1)))
    return url, {name: html.unescape(value) for name, value in hidden}


def _path_matches(path: str, cookie_path: str) -> bool:
    prefix = cookie_path.rstrip("/")
    return path == cookie_path or path.startswith(prefix + "/")
