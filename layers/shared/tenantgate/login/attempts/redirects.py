"""Check redirect targets by their parsed origins (RFC 6454 §5, OWASP "Unvalidated Redirects")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.urls import is_plain, parse_http_url

# A target is part of the attempt's cookie, of which a request may carry several.
MAX_TARGET_LENGTH = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DECODING_ROUNDS = 4


class RedirectPolicy:
    """Allows targets of the allowed origins and of this API.

    `public_base_url`: this API's URL, whose origin is always allowed. `allowed_origins`: already validated by the
    settings. `remedy`: the step that makes an origin allowed; the error's detail has it if this is given.
    """

    def __init__(
        self,
        *,
        allowed_origins: Iterable[str],
        public_base_url: str,
        remedy: Callable[[str], str] | None = None,
    ) -> None:
        self._remedy = remedy
        self._origins = frozenset(
            parsed.origin
            for url in (*allowed_origins, public_base_url)
            if (parsed := parse_http_url(url, longest=MAX_TARGET_LENGTH)) is not None
        )
        self.default_logout_target = f"{public_base_url}/"

    def require_redirect_uri(self, url: str) -> str:
        """Require a `redirect_uri` of an allowed origin, without a fragment (RFC 6749 §3.1.2).

        Raises `RedirectNotAllowed`.
        """
        return self._require_url(url, parameter="redirect_uri")

    def require_return_to(self, target: str) -> str:
        """Require a path on this API's origin, or a URL of an allowed origin. Raises `RedirectNotAllowed`."""
        if not target.startswith("/"):
            return self._require_url(target, parameter="return_to", fragment=True)
        if not _is_safe_path(target):
            raise _not_allowed("return_to", "it is not a plain path")
        return target

    def _require_url(self, url: str, *, parameter: str, fragment: bool = False) -> str:
        parsed = parse_http_url(url, longest=MAX_TARGET_LENGTH)
        if parsed is None:
            raise _not_allowed(parameter, "it is not a plain http or https URL")
        if parsed.origin not in self._origins:
            hint = "" if self._remedy is None else f". {self._remedy(parsed.origin)}"
            raise _not_allowed(parameter, f"its origin is not in ALLOWED_ORIGINS{hint}")
        if parsed.has_fragment and not fragment:
            raise _not_allowed(parameter, "it has a fragment")
        if parsed.rest.startswith("/") and not _is_safe_path(parsed.rest):
            raise _not_allowed(parameter, "its path is not plain")
        return url


def _is_safe_path(target: str) -> bool:
    # `//host` and `/\host` leave the origin. If they are percent-encoded, they do so after a server decodes the path
    # again, so every decoding of the path must have the same form.
    if not is_plain(target, longest=MAX_TARGET_LENGTH):
        return False
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    for _ in range(_DECODING_ROUNDS):
        if "//" in path or "\\" in path or _CONTROL.search(path):
            return False
        decoded = unquote(path)
        if decoded == path:
            return True
        path = decoded
    return False


def _not_allowed(parameter: str, reason: str) -> RedirectNotAllowed:
    return RedirectNotAllowed(f"{parameter}: {reason}", detail=f"{parameter}: {reason}")
