"""The bundles: what is in them, what is not, and that Lambda's runtime can use the bytecode."""

import importlib.util
import marshal
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tenantgate.cold_start.image import FILE, Image
from tenantgate_cli.build.sam import Architecture
from tenantgate_cli.build.uv import find_uv
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.built import built_bundles
from tests.fixtures.template.deployed import function_folder, require_uv

LARGEST_LAYER = 30_000_000
# The one with the migrations is the largest.
LARGEST_FUNCTION = 200_000
MACHINES = {"x86_64": 62, "arm64": 183}

FUNCTIONS = sorted(
    f"{''.join(part.title() for part in handler.parent.name.split('_'))}Function"
    for handler in ROOT.glob("functions/*/handler.py")
)


SERVED_BY_FASTAPI = {
    handler.parent.name for handler in ROOT.glob("functions/*/handler.py") if (handler.parent / "routes.py").is_file()
}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_its_own_folder_and_nothing_else(build_dir: Path, function: str) -> None:
    name = function_folder(function)
    source = {f"functions/{name}/{file}" for file in files(ROOT / "functions" / name)}
    if function == "MigrationRunnerFunction":
        source |= {f"migrations/{file}" for file in files(ROOT / "migrations")}
    # The rules ship checked: parsing TOML would be a tenth of the authorizer's cold start.
    source = {file.replace("/rules.toml", "/rules.checked.json") for file in source}

    built = files(build_dir / function)

    assert f"functions/{name}/handler.py" in built
    assert {file for file in built if "__pycache__" not in file} == {
        file for file in source if "__pycache__" not in file
    }
    assert sum(path.stat().st_size for path in (build_dir / function).rglob("*")) < LARGEST_FUNCTION


@pytest.mark.parametrize("bundle", [*FUNCTIONS, "SharedLayer"])
def test_every_module_has_bytecode_that_the_runtime_uses_without_looking_at_the_source(
    build_dir: Path, bundle: str
) -> None:
    sources = [path for path in (build_dir / bundle).rglob("*.py") if "/templates/" not in path.as_posix()]

    assert sources
    for source in sources:
        header = Path(importlib.util.cache_from_source(str(source))).read_bytes()[:16]
        # PEP 552: hash-based (bit 0), not checked against the source (bit 1 clear).
        assert header[:4] == importlib.util.MAGIC_NUMBER, source
        assert struct.unpack("<I", header[4:8]) == (0b01,), source


def test_the_image_holds_exactly_the_bytecode_that_requests_import(build_dir: Path) -> None:
    layer = build_dir / "SharedLayer" / "python"
    image = Image(str(layer / "tenantgate/cold_start" / Path(FILE).name), str(layer))
    held = set()
    for source in layer.rglob("*.py"):
        if (spec := image.find_spec(module_name(source, layer))) is not None:
            held.add(str(spec.name))
            assert spec.origin == str(source)
            cached = Path(importlib.util.cache_from_source(str(source))).read_bytes()
            assert image.bytecode(spec.name) == cached[16:], source

    assert held == set(image.names)
    assert {"tenantgate.errors.tokens", "fastapi", "pydantic.main", "asyncpg", "cryptography.exceptions"} <= held
    assert not any(name.startswith(("sqlalchemy", "alembic")) for name in held)


def module_name(source: Path, folder: Path) -> str:
    parts = source.relative_to(folder).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_bytecode_doesnt_name_the_folder_it_was_built_in(build_dir: Path) -> None:
    for bundle, module, place in [
        ("HealthFunction", "functions/health/handler.py", "/var/task"),
        ("SharedLayer", "python/tenantgate/errors/base.py", "/opt"),
    ]:
        cached = Path(importlib.util.cache_from_source(str(build_dir / bundle / module)))
        assert marshal.loads(cached.read_bytes()[16:]).co_filename == f"{place}/{module}"


def test_the_layer_has_our_package_and_its_dependencies_under_python(build_dir: Path) -> None:
    layer = build_dir / "SharedLayer" / "python"
    source = {file for file in files(ROOT / "layers/shared/tenantgate") if "__pycache__" not in file}

    built = {file for file in files(layer / "tenantgate") if "__pycache__" not in file}
    # Made by the build, for one Python (`layers/shared/build/prepare_start.py`).
    assert built == source | {"cold_start/image.cpython-313.bin", "cold_start/generated_code.cpython-313.bin"}
    for package in ("cryptography", "fastapi", "mangum", "sqlalchemy", "asyncpg", "alembic"):
        assert (layer / package / "__init__.py").is_file()


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if function_folder(name) in SERVED_BY_FASTAPI])
def test_starting_compiles_nothing_that_the_build_could_have_compiled(build_dir: Path, function: str) -> None:
    started = (
        "from tenantgate.cold_start import generated_code as ahead\n"
        "missing = []\n"
        "ahead.compile_generated = lambda source, mode: missing.append(source) or compile(source, '<string>', mode)\n"
        f"import functions.{function_folder(function)}.handler\n"
        "assert not missing, missing\n"
        "print('dataclasses' in __import__('sys').modules)\n"
    )
    path = os.pathsep.join(str(build_dir / folder) for folder in (function, "SharedLayer/python"))
    # -S: nothing of the checkout's environment.
    done = subprocess.run(
        [sys.executable, "-S", "-c", started],
        env={"PYTHONPATH": path, "ENVIRONMENT": "development"},
        cwd=build_dir,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_the_authorizer_starts_without_importing_typing(build_dir: Path) -> None:
    path = os.pathsep.join(str(build_dir / folder) for folder in ("AuthorizerFunction", "SharedLayer/python"))
    issuer = {"OIDC_ISSUER_URL": "https://issuer.example.test", "OIDC_CLIENT_ID": "client"}
    # -S: without the imports of the environment's `site`.
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "import sys, functions.authorizer.handler\nprint(type(sys.modules['typing']).__name__)",
        ],
        env={"PYTHONPATH": path, **issuer},
        cwd=build_dir,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "LateTyping\n"), done.stderr


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param("boto3", id="boto3-is-the-runtimes"),
        pytest.param("botocore", id="botocore-is-the-runtimes"),
        pytest.param("awslambdaric", id="the-runtime-client"),
        pytest.param("uvicorn", id="the-containers-server"),
        pytest.param("pytest", id="the-tests-tools"),
        pytest.param("tenantgate_cli", id="the-command-line"),
        pytest.param("bin", id="commands"),
        pytest.param("**/tests", id="tests"),
        pytest.param("**/*.pyi", id="stubs"),
        pytest.param("**/*.pyx", id="sources-of-compiled-modules"),
        pytest.param("sqlalchemy/dialects/mysql", id="another-dialect"),
        pytest.param("**/.*", id="hidden-files"),
    ],
)
def test_the_layer_leaves_out_what_no_function_imports(build_dir: Path, unwanted: str) -> None:
    assert not list((build_dir / "SharedLayer" / "python").glob(unwanted))


def test_the_layer_keeps_the_licenses_of_its_packages(build_dir: Path) -> None:
    for information in (build_dir / "SharedLayer" / "python").glob("*.dist-info"):
        kept = {path.name.lower() for path in information.rglob("*") if path.is_file()}
        assert "metadata" in kept, information.name


def test_the_zipped_layer_is_small_enough(build_dir: Path, tmp_path: Path) -> None:
    archive = tmp_path / "layer.zip"
    layer = build_dir / "SharedLayer"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in layer.rglob("*"):
            zipped.write(path, path.relative_to(layer))

    assert archive.stat().st_size <= LARGEST_LAYER


def machine_of(shared_object: Path) -> int:
    image = shared_object.read_bytes()
    assert image[:4] == b"\x7fELF"
    number: int = struct.unpack_from("<H", image, 18)[0]
    return number


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_compiled_modules_are_of_the_chosen_architecture_and_stripped(
    arch: Architecture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = built_bundles(tmp_path_factory, arch)

    compiled = [path for path in (folder / "SharedLayer").rglob("*.so*") if path.is_file()]

    assert compiled
    assert {machine_of(path) for path in compiled} == {MACHINES[arch]}
    for path in compiled:
        assert struct.unpack_from("<H", path.read_bytes(), 60) == (0,), f"{path} has sections"


def test_requirements_are_those_of_the_lock_file(tmp_path: Path) -> None:
    require_uv()
    checkout = tmp_path / "checkout"
    (checkout / "layers/shared").mkdir(parents=True)
    for file in ("pyproject.toml", "uv.lock", "README.md", "layers/shared/Makefile"):
        shutil.copy(ROOT / file, checkout / file)

    subprocess.run(
        ["make", "-f", "layers/shared/Makefile", "requirements", f"UV={find_uv()}"],
        cwd=checkout,
        # In a folder without a .python-version, where a shim finds no interpreter.
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        | {"UV_PYTHON": sys.executable},
        check=True,
        capture_output=True,
    )

    exported = (checkout / "layers/shared/requirements.txt").read_text(encoding="utf-8")
    committed = (ROOT / "layers/shared/requirements.txt").read_text(encoding="utf-8")
    assert committed == exported, "run: make -f layers/shared/Makefile requirements"


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        pytest.param(["ARCH=mips"], "ARCH must be arm64 or x86_64; it is mips", id="unknown-architecture"),
        pytest.param(["ARCH=arm64", "PYTHON=false"], "PYTHON must name a Python 3.13; it is false", id="other-python"),
    ],
)
def test_the_layer_refuses_to_be_built_wrong(tmp_path: Path, variables: list[str], complaint: str) -> None:
    done = subprocess.run(
        ["make", "-f", "layers/shared/Makefile", "build-SharedLayer", f"ARTIFACTS_DIR={tmp_path}", *variables],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert complaint in done.stderr
