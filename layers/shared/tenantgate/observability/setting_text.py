"""A setting's value for an error message, without passwords and keys.

An operator needs to see the mistake, but the log of a failed start must not disclose a secret.
"""

from __future__ import annotations

from tenantgate.masking import MASK
from tenantgate.observability.escapes import layers
from tenantgate.observability.forms import is_opaque, secret_spans
from tenantgate.observability.names import is_sensitive
from tenantgate.observability.redaction import masked

# Each of its values may be a key of the provider.
_NAMES_ONLY = frozenset({"OIDC_AUTHORIZE_PARAMS"})


def shown_setting(variable: str, value: str, *, longest: int = 120) -> str:
    """Return the value in quotes, masked and then cut."""
    text = _shown(value, names_only=variable in _NAMES_ONLY)
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")


def shown_text(text: str) -> str:
    """Mask user info, queries, fragments and patterns of secrets in a text of unknown form."""
    if is_opaque(text.strip()):
        return MASK
    spans = {layer.span(*span) for layer in layers(text) for span in _spans(layer.text) if span[0] < span[1]}
    return masked(text, spans)


def _spans(text: str) -> list[tuple[int, int]]:
    spans = list(secret_spans(text))
    # Look-alikes from other keyboards, which are also invalid.
    text = text.replace("\uff20", "@").replace("\ufe6b", "@")
    begin = text.find("://") + 3 if "://" in text else 0
    # An unescaped password may contain any character, even "@" and blanks: the last "@" ends it.
    if (last := text.rfind("@")) > begin:
        spans.append((begin, last))
    if begin and (ends := [at for at in (text.find("?", begin), text.find("#", begin)) if at >= 0]):
        spans.append((min(ends) + 1, len(text)))
    return spans


def _shown(value: str, *, names_only: bool) -> str:
    if value.lstrip()[:1] in ("{", "["):
        import json  # noqa: PLC0415  (the authorizer's errors are rare)

        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return MASK if names_only else shown_text(value)
        return json.dumps(_members(document, names_only=names_only), ensure_ascii=False)
    return MASK if names_only else shown_text(value)


def _members(value: object, *, names_only: bool) -> object:
    if isinstance(value, dict):
        return {
            shown_text(name): MASK if names_only or is_sensitive(name) else _members(item, names_only=names_only)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_members(item, names_only=names_only) for item in value]
    if isinstance(value, str):
        return MASK if names_only else shown_text(value)
    return value
