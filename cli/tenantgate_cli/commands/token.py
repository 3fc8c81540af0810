"""`tenantgate token`: an access token of the demo user, got as a browser and a single-page app would get it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import override
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USERNAME
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.data_folder import DataFolder

_MOST_REDIRECTS = 10


def access_token(data_dir: Path) -> str:
    """Raises Failure when no stack runs, or when it uses another provider than the built-in one."""
    url = DataFolder(data_dir).running().get("url")
    if not url:
        raise Failure("nothing is running here", "make dev   (in another terminal)")
    # Cookies are passed on by hand: they are Secure, and a client's jar keeps those from plain http.
    cookies: dict[str, str] = {}
    with httpx2.Client(timeout=30, trust_env=False) as client:
        login = _get(client, f"{url}/api/v1/auth/login", cookies, accept="application/json")
        target = login.json()["authorization_url"]
        if not target.startswith(f"{url}/idp/"):
            raise Failure(
                "another provider than the built-in one is in use", f"sign in with a browser: {url}/api/v1/auth/login"
            )
        answer = _sign_in(client, target, cookies)
        said = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
        if "code" not in said:
            raise Failure(f"the sign-in failed: {said.get('error_description') or said.get('error') or answer}")
        body = {name: said[name] for name in ("code", "state", "iss") if name in said}
        done = client.post(f"{url}/api/v1/auth/callback", json=body, headers=_cookie_header(cookies))
    if done.status_code != 200:
        raise Failure(f"the sign-in failed: {done.text}")
    return str(done.json()["access_token"])


def _sign_in(client: httpx2.Client, target: str, cookies: dict[str, str]) -> str:
    """Fill in the sign-in page; the address that the provider sends the browser back to."""
    response = _get(client, target, cookies, accept="text/html")
    for _ in range(_MOST_REDIRECTS):
        if response.is_redirect:
            target = urljoin(target, response.headers["location"])
            if urlsplit(target).path.endswith("/auth/callback"):
                return target
            response = _get(client, target, cookies, accept="text/html")
            continue
        form = _Form.of(response.text)
        if response.status_code != 200 or form is None:
            break
        target = urljoin(target, form.action)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(target))
        headers = {"accept": "text/html", "origin": origin, **_cookie_header(cookies)}
        response = client.post(target, data=form.filled(), headers=headers)
        _remember(response, cookies)
    raise Failure(f"the provider's sign-in page can't be used: {response.status_code} at {target}")


def _get(client: httpx2.Client, url: str, cookies: dict[str, str], *, accept: str) -> httpx2.Response:
    response = client.get(url, headers={"accept": accept, **_cookie_header(cookies)})
    if response.status_code >= 400:
        raise Failure(f"{urlsplit(url).path} answers {response.status_code}: {response.text[:300]}")
    _remember(response, cookies)
    return response


def _remember(response: httpx2.Response, cookies: dict[str, str]) -> None:
    for header in response.headers.get_list("set-cookie"):
        name, _, value = header.split(";", 1)[0].partition("=")
        cookies[name] = value


def _cookie_header(cookies: dict[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}


class _Form(HTMLParser):
    """The page's first form that has a password field."""

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
