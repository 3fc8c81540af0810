"""A user of the demo provider with a browser: signs in by the form, uses the session, and signs out."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin, urlsplit

import httpx2

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USERNAME
from tenantgate_cli.console import Failure

_SECONDS = 60
_ACTION = re.compile(r'<form[^>]*\saction="([^"]*)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
_STEPS = 6


class Visitor:
    """One browser. It sends every cookie that it got to the same host, as the stack is one site."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._cookies: dict[str, str] = {}

    def sign_in(self) -> None:
        """Follow the redirects from our sign-in to the session. Raises Failure."""
        response = self._send("GET", f"{self._base}/api/v1/auth/login?return_to=/")
        for _ in range(_STEPS):
            if response.is_redirect:
                target = urljoin(str(response.request.url), response.headers["location"])
                if urlsplit(target).path == "/":
                    return
                response = self._send("GET", target)
            elif (action := _ACTION.search(response.text)) is not None:
                hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(response.text)}
                form = {**hidden, "username": DEMO_USERNAME, "password": DEMO_PASSWORD}
                response = self._send("POST", urljoin(str(response.request.url), html.unescape(action[1])), form)
            else:
                break
        raise Failure(f"the sign-in failed: status {response.status_code}", "tenantgate explain --help")

    def is_signed_in(self, base: str | None = None) -> bool:
        """Tell whether the API accepts the session. `base`: another address of the same deployment."""
        status = self._send("GET", f"{base or self._base}/api/v1/auth/me").status_code
        if status not in (httpx2.codes.OK, httpx2.codes.UNAUTHORIZED):
            raise Failure(f"the API returned {status} to a session", "see the log of the application")
        return status == httpx2.codes.OK

    def sign_out(self) -> None:
        """End the session. Raises Failure."""
        response = self._send("POST", f"{self._base}/api/v1/auth/logout", {})
        if response.status_code >= httpx2.codes.BAD_REQUEST:
            raise Failure(f"the sign-out failed: status {response.status_code}")

    def copy(self) -> Visitor:
        """Return another browser with the same cookies, as a thief's."""
        copied = Visitor(self._base)
        copied._cookies = dict(self._cookies)
        return copied

    def _send(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx2.Response:
        parts = urlsplit(url)
        headers = {"accept": "text/html", "origin": f"{parts.scheme}://{parts.netloc}"}
        if self._cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        try:
            response = httpx2.request(method, url, data=form, headers=headers, timeout=_SECONDS, trust_env=False)
        except httpx2.TransportError as error:
            raise Failure(f"the application doesn't respond: {type(error).__name__}") from error
        for header in response.headers.get_list("set-cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self._cookies[name] = value
        return response
