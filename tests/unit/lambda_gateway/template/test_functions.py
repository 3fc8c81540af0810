"""The functions that the gateway reads from a SAM template."""

from pathlib import Path

from lambda_gateway.template.reader import read_template
from tests.fixtures.gateway.project import HEAD, function_resource, write_project

NOTHING = "def lambda_handler(event, context): pass"


def write(folder: Path, template: str) -> Path:
    return write_project(folder, template, {"hello": NOTHING, "guard": NOTHING})


def test_reads_a_function(tmp_path: Path) -> None:
    template = (
        "Globals:\n  Function:\n    Timeout: 7\n    Layers: [!Ref Shared]\n"
        "    Environment: { Variables: { A: one, B: two } }\n"
        + HEAD
        + "  Shared:\n    Type: AWS::Serverless::LayerVersion\n    Properties: { ContentUri: shared/ }\n"
        + function_resource(
            "Hello", "hello", "MemorySize: 512\nEnvironment: { Variables: { B: three, C: 4, D: true } }\n"
        )
    )
    (tmp_path / "shared").mkdir()
    function = read_template(write(tmp_path, template)).functions["Hello"]
    assert function.root == tmp_path
    assert function.code == tmp_path / "functions" / "hello"
    assert function.layers == (tmp_path / "shared",)
    assert (function.timeout, function.memory) == (7.0, 512)
    assert function.env == {"A": "one", "B": "three", "C": "4", "D": "true"}


def test_a_built_layers_python_folder_goes_on_the_path(tmp_path: Path) -> None:
    template = HEAD + "  Shared:\n    Type: AWS::Serverless::LayerVersion\n    Properties: { ContentUri: shared }\n"
    (tmp_path / "shared" / "python").mkdir(parents=True)
    read = read_template(write(tmp_path, template + function_resource("Hello", "hello", "Layers: !Ref Shared\n")))
    assert read.functions["Hello"].layers == (tmp_path / "shared" / "python",)


def test_secrets_go_only_to_functions_that_may_read_the_secret(tmp_path: Path) -> None:
    template = (
        HEAD
        + function_resource("Hello", "hello", "Environment: { Variables: { SECRET_ID: arn } }\n")
        + function_resource("Other", "guard")
    )
    functions = read_template(write(tmp_path, template), secrets={"SECRET_ID": {"PASSWORD": "s"}}).functions
    assert functions["Hello"].env["PASSWORD"] == "s"
    assert "PASSWORD" not in functions["Other"].env


def test_no_value_means_absent(tmp_path: Path) -> None:
    template = (
        "Conditions: { Never: !Equals [a, b] }\n"
        + HEAD
        + function_resource(
            "Hello",
            "hello",
            "Timeout: !If [Never, 7, !Ref AWS::NoValue]\n"
            "Environment: { Variables: { A: !If [Never, x, !Ref AWS::NoValue], B: !If [Never, x, y] } }\n",
        )
    )
    function = read_template(write(tmp_path, template)).functions["Hello"]
    assert (function.timeout, function.env) == (3.0, {"B": "y"})


def test_a_variable_that_only_a_deployment_knows_is_unset(tmp_path: Path) -> None:
    table = "  Table:\n    Type: AWS::DynamoDB::Table\n"
    variables = "Environment: { Variables: { TABLE: !GetAtt Table.Arn, A: b } }\n"
    functions = read_template(write(tmp_path, HEAD + table + function_resource("Hello", "hello", variables))).functions
    assert functions["Hello"].env == {"A": "b"}


def test_the_log_format_is_set_as_lambda_sets_it(tmp_path: Path) -> None:
    logging = "LoggingConfig: { LogFormat: JSON, ApplicationLogLevel: TRACE }\n"
    function = read_template(write(tmp_path, HEAD + function_resource("Hello", "hello", logging))).functions["Hello"]
    assert function.env == {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"}
