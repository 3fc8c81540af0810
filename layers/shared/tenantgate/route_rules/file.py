"""The rules file: read its text as rules, or report every mistake with its line.

    version = 1

    [[api]]
    name = "orders"
    ids = ["a1b2c3d4e5"]            # API ids of API Gateway; "*": every API without its own block
    every_route_listed = true       # optional; see authorizer/iam_policy.py

    [[api.route]]
    route = "GET /orders/{id}"      # a method or ANY; {id} is one segment, {path+} at the end is the rest of the path
    scopes = ["orders:read"]        # all of these
    any_scope = ["a", "b"]          # at least one of these
    roles = ["clerk", "auditor"]    # at least one of these
    acr = ["urn:example:mfa"]       # one of these (RFC 9470)
    max_auth_age_seconds = 300
    issuers = ["https://a.example"] # one of these issued the token
    public = true                   # requires nothing, not even a credential; excludes all other keys

People write TOML. The same document as JSON loads without the TOML parser. `python -m tenantgate.route_rules.file
FILE.toml` checks the rules and prints them for `RuleSet.from_checked`; the authorizer's build ships that output.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.file_checks import Problems, rule_set


class RulesError(Exception):
    """Rules that can't be used. `problems`: the line of each (None for the whole file), and a description.

    The text leaves out the file's name: it comes from a setting, which may hold a URL with a password by mistake.
    A caller that shows the name masks it first.
    """

    def __init__(self, problems: list[tuple[int | None, str]]) -> None:
        super().__init__("\n".join(f"line {line}: {problem}" if line else problem for line, problem in problems))
        self.problems = problems

    def located(self, file: str) -> str:
        """Return one line of text for each problem, as `file:line: problem`."""
        return "\n".join(f"{file}{f':{line}' if line else ''}: {problem}" for line, problem in self.problems)


def load_rules(text: str) -> RuleSet:
    """Return the rules in `text`: JSON if it begins with `{`, otherwise TOML. Raises `RulesError` with all problems."""
    problems: Problems = []
    rules = rule_set(_document(text), problems)
    if problems:
        from tenantgate.route_rules.file_lines import line_of, lines_of  # noqa: PLC0415  (only for a file with mistakes)

        lines = {} if text.startswith("{") else lines_of(text)
        located = [(line_of(lines, place), problem) for place, problem in problems]
        raise RulesError(sorted(located, key=lambda item: item[0] or 0))
    return rules


def read_rules(path: str) -> RuleSet:
    """Return the rules of a file. Raises `RulesError`, also when the file can't be read."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is a slow import
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError([(None, f"can't be read: {getattr(error, 'strerror', None) or error}")]) from None
    return load_rules(text)


def as_json(text: str) -> str:
    """Check a TOML document and return it as JSON. Raises `RulesError`."""
    import json  # noqa: PLC0415

    load_rules(text)
    return json.dumps(_document(text), ensure_ascii=False, separators=(",", ":")) + "\n"


def _document(text: str) -> Mapping[str, object]:
    if text.startswith("{"):
        import json  # noqa: PLC0415

        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RulesError([(getattr(error, "lineno", None), f"is not JSON: {error}")]) from None
        return document if isinstance(document, dict) else {}
    import tomllib  # noqa: PLC0415  (a slow import; the build ships JSON)

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        where = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        line = int(where[1]) if where and where[1] else text.count("\n") + 1 if where else None
        raise RulesError([(line, f"is not TOML: {message[: where.start()] if where else message}")]) from None
    except (ValueError, RecursionError) as error:
        # tomllib raises these for a number with thousands of digits and for brackets that are nested too deeply.
        raise RulesError([(None, f"is not TOML that can be read: {error}")]) from None


def _print_checked(path: str) -> None:
    import json  # noqa: PLC0415

    try:
        print(json.dumps(read_rules(path).checked(), ensure_ascii=False, separators=(",", ":")))
    except RulesError as error:
        sys.exit(error.located(path))


if __name__ == "__main__":
    _print_checked(sys.argv[1])
