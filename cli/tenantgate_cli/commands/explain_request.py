"""`tenantgate explain --request`: a request's lines from all functions, and the decision on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich.text import Text

from tenantgate_cli.checks.registry import registry
from tenantgate_cli.console import printable, say
from tenantgate_cli.denials.decision_lines import own_error_of
from tenantgate_cli.denials.facts import facts_of
from tenantgate_cli.program import as_called
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.log_files import LogLine
from tenantgate_cli.stack.log_text import as_json, show_line
from tenantgate_cli.stack.request_history import RequestHistory, requests_with_id, unknown_request

# The status of a request for which the authorizer made no decision.
_FAILED = 500
type Facts = Mapping[str, str]


def run(request_id: str, data_dir: Path, *, as_json_line: bool) -> None:
    """Print the request's lines and the decision. Raises `Failure` if no line has the id."""
    folder = DataFolder(data_dir)
    found = requests_with_id(folder.logs, request_id.strip())
    if not found:
        raise unknown_request(request_id, folder)
    if as_json_line:
        print_result(ok=True, requests=[_members(history) for history in found])
        return
    for number, history in enumerate(found):
        if number:
            say()
        _show(history)


def _show(history: RequestHistory) -> None:
    say(Text(printable(_title(history)), style="bold"))
    for line in history.lines:
        show_line(line)
    verdict, facts = explained(history)
    say(Text(printable(verdict), style="red" if facts else "green"))
    show_facts(facts)


def show_facts(facts: Facts) -> None:
    """Print the facts, one in each line."""
    for name, text in facts.items():
        say(Text(f"  {name:<9} ", style="dim") + Text(printable(as_called(text))))


def _title(history: RequestHistory) -> str:
    gateway = history.gateway
    if gateway is None:
        return f"request of {history.trace_id}, not completed"
    seen = gateway.context
    return f"{seen.get('method')} {seen.get('path')}, {seen.get('status')}, request {gateway.member('request_id')}"


def explained(history: RequestHistory) -> tuple[str, Facts]:
    """Return the verdict on a request, and the facts about it: none for a request that no authorizer denied."""
    decision, gateway = history.decision, history.gateway
    if decision is not None:
        facts = _facts(decision.reason, decision.context, decision.context.get("error_code"))
        return f"{decision.message}: {decision.reason}{_from_cache(history)}", facts
    if gateway is None:
        return "the request didn't end: it is still running, or the stack stopped", {}
    if gateway.context.get("denied") is True:
        return _denied_without_reason(history)
    return _own_error(history) or _without_denial(gateway.context)


def _from_cache(history: RequestHistory) -> str:
    return f", from the authorizer's cache; decided for request {history.origin}" if history.is_cached else ""


def _denied_without_reason(history: RequestHistory) -> tuple[str, Facts]:
    gateway = history.gateway
    seen = gateway.context if gateway is not None else {}
    authorizer, route = seen.get("authorizer"), seen.get("route")
    match seen.get("authorizer_result"):
        case "jwt":
            remedy = "Compare the token with JwtConfiguration and the scopes in the template."
            return f"denied by the JWT authorizer {authorizer}", {"cause": _cause_from(gateway), "remedy": remedy}
        case "not called":
            cause = _cause_from(gateway)
            remedy = "Send the request with this value: it is the authorizer's identity source."
            return "denied by the gateway", {"cause": cause, "remedy": remedy}
        case "cached":
            cause = f"The policy that the authorizer returned for request {history.origin} doesn't allow {route}."
            check = f"tenantgate explain --token-file FILE --route '{route}' --api {seen.get('api')}"
            remedy = f"Check the same token against the rules: {check}"
            return "denied by the policy in the authorizer's cache", {"cause": cause, "remedy": remedy}
        case _ if seen.get("status") == _FAILED:
            cause = f"{authorizer} failed, couldn't be loaded, or returned an invalid result."
            return "no decision", {"cause": cause, "remedy": f"Read its output: tenantgate logs {authorizer}"}
        case _:
            cause = f"The log of {authorizer} has no line about this decision."
            remedy = "Run the stack with LOG_LEVEL=INFO or DEBUG, and send the request again."
            return f"denied by {authorizer}", {"cause": cause, "remedy": remedy}


def _cause_from(gateway: LogLine | None) -> str:
    """Return the words after the colon of the gateway's message, as a sentence."""
    words = (gateway.member("message") if gateway is not None else "").partition(": ")[2]
    return f"{words[:1].upper()}{words[1:]}."


def _own_error(history: RequestHistory) -> tuple[str, Facts] | None:
    """Return the error with which a function responded, if it logged one."""
    for line in history.lines:
        error = own_error_of(line.record)
        code = registry().get(error.code) if error is not None else None
        if error is not None and code is not None:
            facts = _facts(error.reason, error.context, code.code)
            return f"{code.code} from {line.function}: {code.message}", facts
    return None


def _facts(reason: str, context: Mapping[str, object], error_code: object) -> Facts:
    """Return the facts. For a reason without words, cause and remedy are those of the error code."""
    facts = facts_of(reason, context)
    code = registry().get(str(error_code))
    if code is None:
        return facts
    cause, remedy = facts.pop("cause", code.cause), facts.pop("remedy", code.remedy)
    return {"cause": cause, **facts, "remedy": remedy, "code": f"{code.code}, {code.message}"}


def _without_denial(seen: Mapping[str, object]) -> tuple[str, Facts]:
    if seen.get("route") is None and seen.get("status") in (403, 404):
        cause = f"No route of {seen.get('api')} matches the method and path."
        remedy = (
            "Compare them with the API's routes in the template; paths of REST and WebSocket APIs begin with the stage."
        )
        return "no such route", {"cause": cause, "remedy": remedy}
    return f"not denied: the response is {seen.get('status')}", {}


def _members(history: RequestHistory) -> dict[str, object]:
    verdict, facts = explained(history)
    gateway = history.gateway
    context = gateway.context if gateway is not None else {}
    return {
        "request_id": gateway.member("request_id") if gateway is not None else None,
        "trace_id": history.trace_id,
        **{name: context.get(name) for name in ("method", "path", "api", "route", "status")},
        "verdict": verdict,
        "reason": history.decision.reason if history.decision is not None else None,
        "cached_from": history.origin or None,
        **{name: facts.get(name) for name in ("cause", "finding", "claim", "rule", "expected", "actual", "remedy")},
        "lines": [json.loads(as_json(line)) for line in history.lines],
    }
