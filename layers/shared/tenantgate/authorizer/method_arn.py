"""The ARN of an API Gateway method, with which policies are compared."""

from __future__ import annotations

from tenantgate.tokens.records import Record

# API Gateway's own limit is 1,600 bytes.
_LONGEST = 8192


class MethodArn(Record):
    """`arn:aws:execute-api:region:account:apiId/stage/METHOD/path`; a WebSocket API's ends with `/stage/$connect`.

    `stage_arn` ends with the slash behind the stage: the ARNs of all methods of the stage begin with it. `path` begins
    with a slash, or is empty.
    """

    __slots__ = ()

    api_id: str
    stage: str
    stage_arn: str
    method: str
    path: str

    @classmethod
    def parse(cls, arn: str) -> MethodArn:
        """Read an ARN. Raises `ValueError`, which says what is wrong with it."""
        parts = arn.split(":", 5) if len(arn) <= _LONGEST else []
        resource = parts[5].split("/", 3) if len(parts) == 6 else []
        if len(resource) < 3 or not all(resource[:3]) or parts[0] != "arn" or parts[2] != "execute-api":
            raise ValueError("is not the ARN of an API's method")
        try:
            # JSON's escapes can spell halves of characters, which no response could contain.
            arn.encode()
        except UnicodeEncodeError:
            raise ValueError("is not Unicode text") from None
        api_id, stage, method = resource[:3]
        path = f"/{resource[3]}" if len(resource) == 4 else ""
        before_path = arn[: len(arn) - len(path)]
        # Policies contain these parts, where a wildcard would be one. With a slash before the API's id, readers would
        # differ on where the path begins.
        if has_wildcard(before_path) or before_path.count("/") != 2:
            raise ValueError("has a wildcard or a slash before its path")
        return cls(api_id, stage, before_path[: len(before_path) - len(method)], method, path)

    def __str__(self) -> str:
        return self.stage_arn + self.method + self.path


def has_wildcard(text: str) -> bool:
    """Tell whether IAM would read a character of the text as a wildcard or as part of a variable."""
    return "*" in text or "?" in text or "{" in text or "}" in text
