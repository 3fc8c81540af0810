"""The errors of boto3, which have no common base."""

from __future__ import annotations


def failure_name(error: Exception) -> str:
    """Return AWS's code of the error, such as `AccessDeniedException`, or else the error's class.

    Most codes have no class: the class of a refused permission is only `ClientError`. The text of the error may quote
    the request, so it isn't used.
    """
    response = getattr(error, "response", None)
    described = response.get("Error") if isinstance(response, dict) else None
    code = described.get("Code") if isinstance(described, dict) else None
    return code if isinstance(code, str) and code.isalnum() else type(error).__name__
