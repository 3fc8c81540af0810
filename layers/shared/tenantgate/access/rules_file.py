"""The rules file: TOML in, rules or every problem with its line out."""

from __future__ import annotations

from tenantgate.access.rules import RuleSet


class RulesError(Exception):
    """The rules can't be used. `problems`: each line (None: the whole file) and what is wrong there."""

    def __init__(self, source: str, problems: list[tuple[int | None, str]]) -> None:
        self.source = source
        self.problems = problems
        super().__init__(
            "\n".join(f"{source}:{line}: {text}" if line else f"{source}: {text}" for line, text in problems)
        )


def load_rules(text: str, *, source: str) -> RuleSet:
    """The rules in `text`; `source` names it in messages. Raises `RulesError` with all problems."""
    raise NotImplementedError
