"""Log files in order of time, with any content."""

from __future__ import annotations

import itertools
from pathlib import Path

from tenantgate_cli.stack.log_files import followed, functions_with_logs, log_lines, read_line
from tests.fixtures.stack.log_folder import log_record, write_logs


def texts(folder: Path, *names: str) -> list[tuple[str, str]]:
    return [(line.function, line.member("message") or line.text) for line in log_lines(folder, names)]


def test_the_lines_of_all_functions_are_in_order_of_time(tmp_path: Path) -> None:
    write_logs(
        tmp_path,
        A=[log_record("first", at="04:00:00.001"), "printed", log_record("fourth", at="04:00:00.004")],
        B=[log_record("second", at="04:00:00.002"), log_record("third", at="04:00:00.003")],
    )
    folder = tmp_path / "logs"
    assert functions_with_logs(folder) == ["A", "B"]
    # A line without a time belongs to the line before it.
    assert texts(folder, "A", "B") == [
        ("A", "first"),
        ("A", "printed"),
        ("B", "second"),
        ("B", "third"),
        ("A", "fourth"),
    ]
    assert texts(folder, "missing") == []


def test_lines_of_any_content_are_read(tmp_path: Path) -> None:
    odd = ["", "[]", "7", '{"timestamp":7,"message":[],"context":"x","trace_id":{}}', "a\rb", "{" * 9000]
    write_logs(tmp_path, A=[*odd, log_record("last")])
    lines = list(log_lines(tmp_path / "logs", ["A"]))
    assert len(lines) == len(odd)
    assert all(line.context == {} and isinstance(line.member("message"), str) for line in lines)


def test_a_very_long_line_is_shortened() -> None:
    assert len(read_line("A", "x" * 1_000_000).text) <= 64 * 1024


def test_secrets_that_other_code_logged_are_masked() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLW9mLXRoZS1jYW5hcnk"
    printed = read_line("A", f"got {token}").shown()
    logged = read_line(
        "A", f'{{"message":"event","headers":{{"authorization":"Bearer {token}"}},"password":"canary"}}'
    ).shown()
    assert "eyJ" not in printed.text
    assert logged.record is not None
    assert "eyJ" not in str(logged.record)
    assert "canary" not in str(logged.record)


def test_following_yields_what_is_written_later_also_to_a_new_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    write_logs(tmp_path, A=[log_record("one")])
    lines = followed(folder, [], every=0.0)
    assert next(lines).member("message") == "one"
    with (folder / "A.log").open("a") as file:
        file.write('{"message":"half')
        file.flush()
        write_logs(tmp_path, B=[log_record("two")])
        assert next(lines).member("message") == "two"
        file.write(' a line"}\n')
    assert next(lines).member("message") == "half a line"


def test_following_continues_with_the_files_of_the_next_run(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    write_logs(tmp_path, A=[log_record("one"), log_record("two")])
    lines = followed(folder, ["A"], every=0.0)
    assert [line.member("message") for line in itertools.islice(lines, 2)] == ["one", "two"]
    (folder / "A.log").unlink()
    write_logs(tmp_path, A=[log_record("of the next run")])
    assert next(lines).member("message") == "of the next run"
