"""The log lines about denials and failures: the authorizer's, and those of functions about their own errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tenantgate_cli.denials.brief import in_brief

# The messages of `tenantgate.authorizer` for a denial and for a failure.
DENIED, NO_DECISION = "denied", "no decision"
# Those of `tenantgate.web.request_log`.
_OWN_ERRORS = ("request refused", "request failed")
_KEYS = frozenset({f'"message":"{message}"' for message in (DENIED, NO_DECISION)})
_OWN_KEYS = frozenset({f'"message":"{message}"' for message in _OWN_ERRORS})
_CAPITAL = re.compile(r"(?<!^)([A-Z])")


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A log line of the authorizer about a denial or a failure, with its `reason` and the other members of `context`.

    `trace_id` is that of the request, without its parent and sampling.
    """

    message: str
    reason: str
    trace_id: str
    context: Mapping[str, object]

    @property
    def brief(self) -> str:
        """The reason code with its most important value, and the rule."""
        rule = self.context.get("rule")
        by = f' by "{rule}"' if isinstance(rule, str) else ""
        return f"{in_brief(self.reason, self.context)}{by}"


def read_decision(line: str) -> DecisionLine | None:
    """Read a line of a function's output. Return None if it isn't about a denial or a failure of the authorizer."""
    if not any(key in line for key in _KEYS):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return decision_of(record)


def decision_of(record: object) -> DecisionLine | None:
    """Return the decision in a parsed log line, if it has one."""
    if not isinstance(record, dict) or record.get("message") not in (DENIED, NO_DECISION):
        return None
    context, trace_id = record.get("context"), record.get("trace_id")
    if not isinstance(context, dict) or not isinstance(trace_id, str):
        return None
    reason = context.get("reason")
    # A failure without a known cause has only its code.
    code = reason if isinstance(reason, str) else str(context.get("error_code", ""))
    return DecisionLine(str(record["message"]), code, root_of(trace_id), context)


@dataclass(frozen=True, slots=True)
class OwnError:
    """An error with which a function responded. `context` has the members of a finding, as a decision's has them."""

    code: str
    reason: str
    trace_id: str
    context: Mapping[str, object]

    @property
    def brief(self) -> str:
        """The error code, and the reason code with its most important value."""
        return f"{self.code}: {in_brief(self.reason, self.context)}" if self.reason else self.code


def read_own_error(line: str) -> OwnError | None:
    """Read a line of a function's output. Return None if it isn't about an error of the product."""
    if not any(key in line for key in _OWN_KEYS):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return own_error_of(record)


def own_error_of(record: object) -> OwnError | None:
    """Return the error in a parsed log line, if it has one."""
    if not isinstance(record, dict) or record.get("message") not in _OWN_ERRORS:
        return None
    context, trace_id = record.get("context"), record.get("trace_id")
    if not isinstance(context, dict) or not isinstance(trace_id, str) or not isinstance(context.get("error_code"), str):
        return None
    private, kind = context.get("private"), context.get("kind")
    found = {"finding": context.get("reason"), **(private if isinstance(private, dict) else {})}
    reason = _CAPITAL.sub(r"_\1", kind).lower() if isinstance(kind, str) else ""
    return OwnError(context["error_code"], reason, root_of(trace_id), found)


def root_of(trace_id: str) -> str:
    """Return the part of a trace id that all functions of a request log: `Root=…`."""
    return trace_id.split(";", 1)[0]
