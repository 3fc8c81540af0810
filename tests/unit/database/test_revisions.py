"""The revisions that callers name, and the exact words for those that don't exist."""

import pytest

from tenantgate.database.errors import MadeByNewer
from tenantgate.database.revisions import require_known, resolve, shown_revision
from tenantgate.errors.base import ValidationFailed

KNOWN = ["0001", "0002", "0010"]
LIST = ". The revisions are 0001, 0002, 0010; up also takes head and +1, down base and -1."


@pytest.mark.parametrize(
    ("named", "at", "down", "target"),
    [
        pytest.param("head", None, False, "0010", id="head"),
        pytest.param("head", "0010", False, "0010", id="head-at-head"),
        pytest.param("0002", "0001", False, "0002", id="revision"),
        pytest.param("0001", "0010", False, "0001", id="up-to-an-applied-one-does-nothing"),
        pytest.param("001", None, False, "0010", id="unambiguous-beginning"),
        pytest.param("+1", None, False, "0001", id="first-step"),
        pytest.param("+2", "0001", False, "0010", id="two-steps"),
        pytest.param("base", "0010", True, "base", id="base"),
        pytest.param("base", None, True, "base", id="base-at-base"),
        pytest.param("0001", "0010", True, "0001", id="down-to-revision"),
        pytest.param("0010", "0010", True, "0010", id="down-to-where-it-is"),
        pytest.param("-1", "0010", True, "0002", id="one-step-down"),
        pytest.param("-3", "0010", True, "base", id="all-steps-down"),
    ],
)
def test_a_revision_is_resolved_to_an_exact_one(named: str, at: str | None, down: bool, target: str) -> None:
    assert resolve(named, at=at, known=KNOWN, down=down) == target


@pytest.mark.parametrize(
    ("named", "at", "down", "words"),
    [
        pytest.param("9999", None, False, "there is no revision 9999", id="unknown"),
        pytest.param("9999", "0010", True, "there is no revision 9999", id="unknown-down"),
        pytest.param("000", None, False, "000 is the beginning of several revisions: 0001, 0002", id="ambiguous"),
        pytest.param("", None, False, "it doesn't have the form of a revision", id="empty"),
        pytest.param("'; DROP TABLE x; --", None, False, "it doesn't have the form of a revision", id="sql"),
        pytest.param("\x1b[31m0001", None, False, "it doesn't have the form of a revision", id="control-characters"),
        pytest.param("0001\n", None, False, "it doesn't have the form of a revision", id="line-end"),
        pytest.param("０００１", None, False, "it doesn't have the form of a revision", id="other-digits"),
        pytest.param("0001:0002", None, False, "it doesn't have the form of a revision", id="range"),
        pytest.param("x" * 65, None, False, "it doesn't have the form of a revision", id="oversized"),
        pytest.param("+99999", None, False, "it doesn't have the form of a revision", id="oversized-steps"),
        pytest.param("+3", "0001", False, "+3 is too far: the database is at 0001, with 2 to apply", id="too-far-up"),
        pytest.param("-1", None, True, "-1 is too far: the database is at no revision, with 0 to undo", id="too-far"),
        pytest.param("base", "0001", False, "base is for down", id="up-to-base"),
        pytest.param("head", "0001", True, "head is for up", id="down-to-head"),
        pytest.param("-1", "0001", False, "-1 is for down", id="up-with-minus"),
        pytest.param("+1", "0001", True, "+1 is for up", id="down-with-plus"),
        pytest.param(
            "0010", "0002", True, "the database is at 0002, which is before 0010: use up", id="down-to-a-later-one"
        ),
        pytest.param(
            "0001", None, True, "the database is at no revision, which is before 0001: use up", id="down-from-nothing"
        ),
    ],
)
def test_every_other_revision_is_refused_in_words(named: str, at: str | None, down: bool, words: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        resolve(named, at=at, known=KNOWN, down=down)
    assert refused.value.detail == [{"field": "revision", "problem": words + LIST}]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("named", ["head", "base", "0001", "+1", "-1", "nonsense"])
def test_a_database_of_a_newer_version_comes_before_every_other_problem(named: str, down: bool) -> None:
    with pytest.raises(MadeByNewer) as newer:
        resolve(named, at="0011", known=KNOWN, down=down)
    assert newer.value.detail == {"revision": "0011", "newest_known": "0010"}


def test_a_database_without_a_revision_is_not_newer() -> None:
    require_known(None, KNOWN)
    require_known("0001", KNOWN)


def test_a_database_cannot_put_control_characters_into_a_message() -> None:
    assert shown_revision("0011") == "0011"
    assert shown_revision("\x1b]0;title\x07") == "of an unknown form"
