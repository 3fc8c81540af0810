"""`tenantgate token --browser`: an access token of the user who signs in with a browser, at any provider.

The command signs in as a single-page app does, with a listener on a loopback origin of `ALLOWED_ORIGINS`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.text import Text

from tenantgate.urls import HttpUrl, parse_http_url
from tenantgate_cli.console import Failure, err, printable, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.app_sign_in import AccessToken, begin_sign_in, complete_sign_in
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.ports import LOOPBACK_NAMES, BoundPort, PortForbidden, PortTaken, bind
from tenantgate_cli.stack.redirect_listener import receive_redirect

WAIT_SECONDS = 300
_PATH = "/callback"


def run(data_dir: Path, *, as_json: bool, refused_options: Sequence[str] = (), seconds: float = WAIT_SECONDS) -> None:
    """Print the token, or with `as_json` the token and its redirect URI. Everything else goes to standard error.

    `refused_options` are the given options that only minted tokens have. Raises Failure.
    """
    if refused_options:
        named = " and ".join(refused_options)
        raise Failure(f"{named} can't be used with --browser: the provider decides what its tokens hold", "omit it")
    folder = DataFolder(data_dir)
    settings = folder.running_settings()
    if settings is None:
        raise Failure("no stack is running here", "make dev   (in another terminal)")
    api = settings["PUBLIC_BASE_URL"]
    origin, bound = _listening(candidates(settings["ALLOWED_ORIGINS"], api))
    redirect_uri = f"{origin}{_PATH}"
    with bound:
        token = _sign_in(api, redirect_uri, bound, issuer=settings["OIDC_ISSUER_URL"], seconds=seconds)
    if not as_json:
        say(token.access_token)
        return
    print_result(
        access_token=token.access_token,
        token_type="Bearer",  # noqa: S106  (RFC 6750)
        expires_in=token.expires_in,
        redirect_uri=redirect_uri,
    )


def candidates(allowed_origins: str, api: str) -> list[HttpUrl]:
    """Return the loopback origins on which the command may listen, the last allowed one first.

    The first ones are more often those of apps that run now. The stack's own port is not among them. Raises Failure
    without any.
    """
    own = parse_http_url(api, longest=2048)
    parsed = [parse_http_url(origin.strip(), longest=2048) for origin in allowed_origins.split(",")]
    found = [
        url
        for url in reversed(parsed)
        if url is not None
        and url.scheme == "http"
        and url.host in LOOPBACK_NAMES
        and (own is None or url.port != own.port)
    ]
    if not found:
        raise Failure(
            "ALLOWED_ORIGINS has no loopback origin on which this command could listen",
            "start the stack with one: ALLOWED_ORIGINS=http://localhost:8080 make dev",
        )
    return found


def _listening(origins: Sequence[HttpUrl]) -> tuple[str, BoundPort]:
    """Listen on the first origin whose port is free."""
    problems: list[str] = []
    for url in origins:
        try:
            return url.origin, bind(url.port)
        except (PortTaken, PortForbidden) as error:
            problems.append(str(error))
    free = ",".join([*(url.origin for url in origins), "http://localhost:8090"])
    raise Failure(
        f"every loopback origin of ALLOWED_ORIGINS is in use: {', '.join(dict.fromkeys(problems))}",
        f"stop one of these programs, or start the stack with another origin: ALLOWED_ORIGINS={free} make dev",
    )


def _sign_in(api: str, redirect_uri: str, bound: BoundPort, *, issuer: str, seconds: float) -> AccessToken:
    attempt = begin_sign_in(api, redirect_uri)
    is_built_in = issuer == f"{api}/idp"
    _tell("redirect URI", f"{redirect_uri}   ({'allowed' if is_built_in else f'register it at {issuer}'})")
    _tell("sign in", attempt.authorization_url)
    complete = partial(complete_sign_in, api, attempt)
    started = partial(_open, attempt.authorization_url, seconds)
    try:
        return asyncio.run(
            receive_redirect(bound, redirect_uri, attempt.state, complete, started=started, seconds=seconds)
        )
    except TimeoutError:
        raise Failure(
            f"no sign-in within {_minutes(seconds)}",
            f"if the provider refused the redirect URI, register {redirect_uri}; then: tenantgate token --browser",
        ) from None


def _open(url: str, seconds: float) -> None:
    opened = has_graphical_browser() and webbrowser.open(url)
    said = "your browser shows the sign-in page" if opened else "open this address in a browser on this machine"
    err.print(Text(f"{said}; waiting {_minutes(seconds)}, Ctrl-C stops", style="dim"), soft_wrap=True)


def has_graphical_browser(platform: str = sys.platform, variable: Callable[[str], str | None] = os.environ.get) -> bool:
    """Tell whether a browser would open in its own window: a text browser would take over the terminal."""
    return platform in ("darwin", "win32") or any(map(variable, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")))


def _tell(name: str, value: str) -> None:
    # Standard output holds only the token.
    err.print(Text(f"{name:<13} ", style="dim") + Text(printable(value)), soft_wrap=True)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
