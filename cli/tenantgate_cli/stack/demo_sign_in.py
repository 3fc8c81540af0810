"""Sign the demo user in at the built-in provider, as a browser would."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Self, override
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USERNAME
from tenantgate_cli.console import Failure

_MAX_REDIRECTS = 10


def demo_access_token(url: str) -> str:
    """Sign in at the stack at `url` with the form of a single-page app, and return the access token.

    Raises Failure if the sign-in fails, or if the stack doesn't use the built-in provider.
    """
    with _Browser() as browser:
        login = browser.get(f"{url}/api/v1/auth/login", accept="application/json")
        target = login.json()["authorization_url"]
        if not target.startswith(f"{url}/idp/"):
            raise Failure(
                "the stack doesn't use the built-in provider", f"sign in with a browser: {url}/api/v1/auth/login"
            )
        callback = browser.sign_in(target)
        given = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
        if "code" not in given:
            raise Failure(f"the sign-in failed: {given.get('error_description') or given.get('error') or callback}")
        body: dict[str, str] = {name: given[name] for name in ("code", "state", "iss") if name in given}
        response = browser.post_json(f"{url}/api/v1/auth/callback", body)
    if response.status_code != 200:
        raise Failure(f"the sign-in failed: {response.text}")
    return str(response.json()["access_token"])


class _Browser:
    """A client that sends Secure cookies over plain HTTP, as browsers do on loopback; httpx2's cookie jar doesn't."""

    def __init__(self) -> None:
        self._client = httpx2.Client(timeout=30, trust_env=False)
        self._cookies: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, url: str, *, accept: str) -> httpx2.Response:
        response = self._client.get(url, headers={"accept": accept, **self._cookie_header()})
        if response.status_code >= 400:
            raise Failure(f"{urlsplit(url).path} returns {response.status_code}: {response.text[:300]}")
        self._remember(response)
        return response

    def post_json(self, url: str, body: dict[str, str]) -> httpx2.Response:
        return self._client.post(url, json=body, headers=self._cookie_header())

    def sign_in(self, target: str) -> str:
        """Submit the provider's form. Return the callback's address to which the provider redirects."""
        response = self.get(target, accept="text/html")
        for _ in range(_MAX_REDIRECTS):
            if response.is_redirect:
                target = urljoin(target, response.headers["location"])
                if urlsplit(target).path.endswith("/auth/callback"):
                    return target
                response = self.get(target, accept="text/html")
                continue
            form = _Form.of(response.text)
            if response.status_code != 200 or form is None:
                break
            target = urljoin(target, form.action)
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(target))
            headers = {"accept": "text/html", "origin": origin, **self._cookie_header()}
            response = self._client.post(target, data=form.filled(), headers=headers)
            self._remember(response)
        raise Failure(f"the provider's sign-in page can't be used: {response.status_code} at {target}")

    def _remember(self, response: httpx2.Response) -> None:
        for header in response.headers.get_list("set-cookie"):
            name, _, value = header.split(";", 1)[0].partition("=")
            self._cookies[name] = value

    def _cookie_header(self) -> dict[str, str]:
        return (
            {"cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())} if self._cookies else {}
        )


class _Form(HTMLParser):
    """The first form of a page that has a password field."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.username = ""
        self.password = ""

    @classmethod
    def of(cls, page: str) -> _Form | None:
        form = cls()
        form.feed(page)
        return form if form.password else None

    def filled(self) -> dict[str, str]:
        return {**self.fields, self.username or "username": DEMO_USERNAME, self.password: DEMO_PASSWORD}

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.password:
            self.action, self.fields = given.get("action", ""), {}
        if tag not in ("input", "button") or not given.get("name"):
            return
        kind = given.get("type", "text")
        if kind == "hidden":
            self.fields[given["name"]] = given.get("value", "")
        elif kind == "password":
            self.password = given["name"]
        elif kind in ("text", "email") and not self.username:
            self.username = given["name"]
