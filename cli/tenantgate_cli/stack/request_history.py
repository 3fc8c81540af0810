"""A request as the log files of the last run show it: its lines from all functions, and the decision on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tenantgate_cli.console import Failure, printable
from tenantgate_cli.denials.decision_lines import DecisionLine, decision_of, root_of
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.log_files import LogLine, functions_with_logs, log_lines
from tenantgate_cli.stack.request_lines import GATEWAY
from tenantgate_cli.stack.running_stack import running_stack

_ROOT = "Root="


class _Decisions(dict[tuple[str, str], DecisionLine]):
    """The decisions by function and trace id."""


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
    for line in log_lines(folder, names, [request_id]) if request_id else ():
        trace_id = root_of(line.member("trace_id"))
        if trace_id and request_id in _ids(line):
            found.setdefault(trace_id, RequestHistory(trace_id))
    if found:
        _read(folder, names, found)
    return list(found.values())


def unknown_request(request_id: str, folder: DataFolder) -> Failure:
    """Return the failure of a command that found no request with this id."""
    if (failure := without_log_files(folder)) is not None:
        return failure
    if not functions_with_logs(folder.logs):
        return Failure(f"there are no logs in {folder.shown()}/logs", "make dev, then send the request again")
    return Failure(
        f"no line in {folder.shown()}/logs has the request id {printable(request_id)!r}",
        "copy the id from X-Request-ID, apigw-requestid, x-amzn-requestid or error.request_id; each start of the stack "
        "deletes the logs of the run before",
    )


def without_log_files(folder: DataFolder) -> Failure | None:
    """Return the failure of a command that reads logs while `tenantgate serve` runs; None otherwise."""
    running = running_stack(folder)
    if running is None or running.functions:
        return None
    return Failure(
        "the running stack is tenantgate serve, which writes no log files", "read its output, or run make dev instead"
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
    """Fill in the requests: first their own lines, then those that only these name."""
    invocations: dict[str, RequestHistory] = {}
    for line in log_lines(folder, names, found):
        history = found.get(root_of(line.member("trace_id")))
        if history is None:
            continue
        history.lines.append(line)
        if function_id := line.member("function_request_id"):
            invocations[function_id] = history
        if line.function == GATEWAY:
            history.gateway = line
    origins = {history.decided_in for history in found.values()} - {""}
    decisions, ids = _Decisions(), dict[str, str]()
    for line in log_lines(folder, names, [*invocations, *origins, *found]):
        history = invocations.get(line.member("requestId"))
        if history is not None and not line.is_noise:
            history.lines.append(line)
        trace_id = root_of(line.member("trace_id"))
        if (decision := decision_of(line.record)) is not None:
            decisions.setdefault((line.function, trace_id), decision)
        if line.function == GATEWAY:
            ids[trace_id] = line.member("request_id")
    for history in found.values():
        history.lines.sort(key=lambda line: line.time)
        _decide(history, decisions, ids)


def _decide(history: RequestHistory, decisions: _Decisions, ids: dict[str, str]) -> None:
    gateway = history.gateway
    if gateway is None:
        # Still running, or the gateway's line is lost: the request's own lines have the decision.
        own = (decision for (_, trace_id), decision in decisions.items() if trace_id == history.trace_id)
        history.decision = next(own, None)
        return
    # A cached policy may deny this request for a reason other than that of the request it was made for.
    if not history.is_cached or gateway.context.get("reason"):
        history.decision = decisions.get((str(gateway.context.get("authorizer")), history.decided_in))
    if history.is_cached:
        history.origin = ids.get(history.decided_in, "")
