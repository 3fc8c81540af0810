"""A browser at the built-in provider, as far as HTTP goes: fills forms, keeps cookies, follows nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx2

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USERNAME
from tests.support.provider import authorization_request, query_of, token_request
from tests.support.provider_app import BASE_URL

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass
class Form:
    """The one form of a page: where it goes, and its fields with their values."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "form":
            self.forms.append(Form(action=given.get("action") or ""))
        elif tag == "input" and self.forms:
            self.forms[-1].fields[given.get("name") or ""] = given.get("value") or ""


def replay_cookie(client: httpx2.AsyncClient, value: str) -> None:
    """Have the browser send this provider cookie alone."""
    client.cookies.clear()
    client.cookies.set("__Host-tg_idp", value, domain=client.base_url.host)


def form_of(html: str) -> Form:
    """The page's form; a page has exactly one."""
    parser = _FormParser()
    parser.feed(html)
    (form,) = parser.forms
    return form


def tags_of(html: str) -> list[str]:
    """The tags of a page in order: what markup smuggled in through a parameter would change."""
    parser = _FormParser()
    parser.feed(html)
    return parser.tags


async def authorize(client: httpx2.AsyncClient, parameters: Mapping[str, str]) -> httpx2.Response:
    return await client.get("/idp/authorize", params=dict(parameters), headers=HTML)


async def submit(
    client: httpx2.AsyncClient, form: Form, *, username: str = DEMO_USERNAME, password: str = DEMO_PASSWORD
) -> httpx2.Response:
    """Send the sign-in form as a browser does."""
    return await client.post(
        form.action,
        data={**form.fields, "username": username, "password": password},
        headers={**HTML, "sec-fetch-site": "same-origin", "origin": str(client.base_url).rstrip("/")},
    )


async def sign_in(client: httpx2.AsyncClient, parameters: Mapping[str, str]) -> httpx2.Response:
    """From the authorization request through the form to the redirect with the code."""
    page = await authorize(client, parameters)
    assert page.status_code == 200, page.text
    answer = await submit(client, form_of(page.text))
    assert answer.status_code == 303, answer.text
    return answer


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the relying party got, and the parameters of the redirect that brought the code."""

    access_token: str
    id_token: str
    answer: dict[str, str]
    response: httpx2.Response


async def redeem(client: httpx2.AsyncClient, code: str, **changes: str | None) -> httpx2.Response:
    """The relying party's token request, its secret in the form."""
    form = token_request(code, **{"redirect_uri": f"{BASE_URL}/api/v1/auth/callback", **changes})
    return await client.post("/idp/token", data=dict(form.values))


def parameters(**changes: str | None) -> dict[str, str]:
    """A good authorization request to the application, with `changes`; None takes a parameter out."""
    request = authorization_request(**{"redirect_uri": f"{BASE_URL}/api/v1/auth/callback", **changes})
    return dict(request.values)


async def tokens_for(client: httpx2.AsyncClient, request: Mapping[str, str]) -> Tokens:
    """The whole flow."""
    answer = query_of((await sign_in(client, request)).headers["location"])
    response = await redeem(client, answer["code"], redirect_uri=request["redirect_uri"])
    assert response.status_code == 200, response.text
    body = response.json()
    return Tokens(body["access_token"], body.get("id_token", ""), answer, response)
