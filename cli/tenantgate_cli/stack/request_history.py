"""A request as the log files of the last run show it: its lines from all functions, and the decision on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tenantgate_cli.console import Failure, printable
from tenantgate_cli.denials.decision_lines import DecisionLine, decision_of, root_of
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.log_files import LogLine, functions_with_logs, log_lines
from tenantgate_cli.stack.request_lines import GATEWAY
from tenantgate_cli.stack.running_stack import running_stack

_ROOT = "Root="


@dataclass(slots=True)
class RequestHistory:
    """One request.

    lines     in order of time
    gateway   the gateway's own line; None if the request is still running
    decision  the authorizer's line about the denial or failure: this request's, or for a cached result that of the
              request for which it was made
    origin    the id of the request for which a cached result was made; empty if it isn't cached
    """

    trace_id: str
    lines: list[LogLine] = field(default_factory=list)
    gateway: LogLine | None = None
    decision: DecisionLine | None = None
    origin: str = ""

    @property
    def decided_in(self) -> str:
        """The trace id of the request for which the authorizer ran; empty without one."""
        given = self.gateway.context.get("decided_in") if self.gateway is not None else None
        return given if isinstance(given, str) else ""

    @property
    def is_cached(self) -> bool:
        return self.gateway is not None and self.gateway.context.get("authorizer_result") == "cached"


def requests_with_id(folder: Path, request_id: str) -> list[RequestHistory]:
    """Return the requests with this id, the oldest first.

    It is the id that a client got (`X-Request-ID`, `apigw-requestid`, `x-amzn-requestid`, the error's body), the trace
    id, or that of a function's invocation. Several requests have the same one if their client sent it.
    """
    names = functions_with_logs(folder)
    found: dict[str, RequestHistory] = {}
    for line in log_lines(folder, names):
        if request_id in line.text and request_id in _ids(line):
            trace_id = root_of(line.member("trace_id"))
            if trace_id:
                found.setdefault(trace_id, RequestHistory(trace_id))
    if found:
        _read(folder, names, found)
    return list(found.values())


def unknown_request(request_id: str, folder: DataFolder) -> Failure:
    """Return the failure of a command that found no request with this id."""
    running = running_stack(folder)
    if running is not None and not running.functions:
        return Failure(
            "the running stack is `tenantgate serve`, which writes no log files",
            "read its output, or run make dev for this",
        )
    if not functions_with_logs(folder.logs):
        return Failure(f"there are no logs in {folder.shown()}/logs", "make dev, then send the request again")
    return Failure(
        f"no line in {folder.shown()}/logs has the request id {printable(request_id)!r}",
        "copy the id from X-Request-ID, apigw-requestid, x-amzn-requestid or error.request_id; each start of the stack "
        "deletes the logs of the run before",
    )


def _ids(line: LogLine) -> set[str]:
    gateway_id = line.context.get("gateway_request_id")
    trace_id = root_of(line.member("trace_id"))
    return {
        line.member("request_id"),
        gateway_id if isinstance(gateway_id, str) else "",
        line.member("function_request_id"),
        trace_id,
        trace_id.removeprefix(_ROOT),
    } - {""}


def _read(folder: Path, names: list[str], found: dict[str, RequestHistory]) -> None:
    invocations: dict[str, RequestHistory] = {}
    for line in log_lines(folder, names):
        history = found.get(root_of(line.member("trace_id"))) or invocations.get(line.member("requestId"))
        if history is None or line.is_noise:
            continue
        history.lines.append(line)
        if function_id := line.member("function_request_id"):
            invocations[function_id] = history
        if line.function == GATEWAY:
            history.gateway = line
    origins = {history.decided_in for history in found.values()}
    decisions, ids = _decisions(log_lines(folder, names), origins)
    for history in found.values():
        gateway = history.gateway
        if gateway is None:
            # Still running, or the gateway's line is lost: the request's own lines have the decision.
            own = [decision for line in history.lines if (decision := decision_of(line.record)) is not None]
            history.decision = own[0] if own else None
            continue
        key = str(gateway.context.get("authorizer")), history.decided_in
        # A cached policy may deny this request for a reason other than that of the request it was made for.
        applies = not history.is_cached or bool(gateway.context.get("reason"))
        history.decision = decisions.get(key) if applies else None
        history.origin = ids.get(history.decided_in, "") if history.is_cached else ""


def _decisions(
    lines: Iterable[LogLine], traces: set[str]
) -> tuple[dict[tuple[str, str], DecisionLine], dict[str, str]]:
    """Return the decisions by function and trace id, and the request ids by trace id, of these traces."""
    decisions: dict[tuple[str, str], DecisionLine] = {}
    ids: dict[str, str] = {}
    for line in lines:
        trace_id = root_of(line.member("trace_id"))
        if trace_id not in traces:
            continue
        decision = decision_of(line.record)
        if decision is not None:
            decisions[line.function, trace_id] = decision
        if line.function == GATEWAY:
            ids[trace_id] = line.member("request_id")
    return decisions, ids
