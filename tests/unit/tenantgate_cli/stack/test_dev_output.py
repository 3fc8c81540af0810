"""The lines of `tenantgate dev`, word by word."""

from __future__ import annotations

import pytest

from lambda_gateway.observer import Handled
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.runtime.functions import Metrics
from tenantgate_cli.stack import dev_output


def handled(status: int, path: str = "/parcels/42", function: str = "") -> Handled:
    return Handled("GET", path, status, 0.0123, "Uq1kPiKCliAEMzg=", "GET /parcels/{id}", function)


@pytest.mark.parametrize(
    ("request_", "words", "line"),
    [
        (handled(200, function="ParcelsFunction"), "", "GET     /parcels/42  200  12 ms  ParcelsFunction"),
        (
            handled(403),
            'denied: missing_role (clerk) by "GET /parcels/{id}"',
            'GET     /parcels/42  403 denied: missing_role (clerk) by "GET /parcels/{id}"  12 ms  Uq1kPiKCliAEMzg=',
        ),
        (
            handled(403),
            "from the authorizer's cache, 41 s left",
            "GET     /parcels/42  403 from the authorizer's cache, 41 s left  12 ms  Uq1kPiKCliAEMzg=",
        ),
        (handled(404, "/\x1b[31mred\x07\r\u202e"), "", "GET     /?[31mred???  404  12 ms  Uq1kPiKCliAEMzg="),
        (
            handled(403),
            "denied: \x1b]0;title\x07",
            "GET     /parcels/42  403 denied: ?]0;title?  12 ms  Uq1kPiKCliAEMzg=",
        ),
    ],
)
def test_the_line_of_a_request(request_: Handled, words: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    dev_output.show_request(request_, words)
    assert capsys.readouterr().out == f"{line}\n"


def test_the_hint_after_the_first_denial(capsys: pytest.CaptureFixture[str]) -> None:
    dev_output.show_hint(handled(403), " --data-dir other")
    printed = capsys.readouterr().out
    assert printed.startswith("  why: ")
    assert printed.endswith("tenantgate explain --request Uq1kPiKCliAEMzg= --data-dir other\n")


def test_output_of_functions_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    dev_output.show_output("F", "", "\x1b[2Jgone")
    dev_output.show_failure("logs", "F", FunctionError("ValueError", "a\x1b[2Jb", ['  File "f"\n    \x1b[2Jc\n']))
    assert capsys.readouterr().out.splitlines() == [
        "│ F: ?[2Jgone",
        "✗ F failed: ValueError: a?[2Jb",
        '  File "f"',
        "    ?[2Jc",
        "  its log: logs/F.log",
    ]


def test_headers_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    dev_output.show_refused_origin("http://a\x1b[2J\x9b", "Add it.")
    assert capsys.readouterr().out == "WARNING the origin http://a?[2J? is refused. Add it.\n"


def test_the_errors_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    dev_output.show_errors({"B": Metrics(3, 1), "A": Metrics(12, 4), "C": Metrics(7)})
    words = "errors as CloudWatch counts them, with each 401 of an authorizer: A 4 of 12, B 1 of 3"
    assert " ".join(capsys.readouterr().out.split()) == words
    dev_output.show_errors({"C": Metrics(7)})
    assert capsys.readouterr().out == ""
