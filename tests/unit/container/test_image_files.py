"""The files that make and run the image, without building it."""

import fnmatch
import re
import sys
import tomllib

from tenantgate import __version__
from tenantgate_cli.paths import ROOT

DOCKERFILE = (ROOT / "container" / "Dockerfile").read_text(encoding="utf-8")
STAGES = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)


def copied() -> list[str]:
    """Return the sources that the Dockerfile copies from the build context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_base_image_is_an_argument_with_the_pinned_python_by_default() -> None:
    # The project asks for one minor version, so this is it.
    python = f"{sys.version_info.major}.{sys.version_info.minor}"

    assert f"ARG BASE=python:{python}-slim" in STAGES[0]
    assert [stage.split()[0] for stage in STAGES[1:]] == ["${BASE}", "${BASE}"]


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    users = re.findall(r"^USER (\S+)$", STAGES[-1], flags=re.MULTILINE)

    assert users == ["10001:10001"]


def test_the_image_starts_by_migrating_on_port_8000() -> None:
    assert 'CMD ["python", "-m", "container.start"]' in STAGES[-1]
    assert re.search(r"^\s*PORT=8000$", STAGES[-1], flags=re.MULTILINE)


def test_the_health_check_runs_our_script_without_a_shell() -> None:
    (check,) = re.findall(r"^HEALTHCHECK .*\\\n    CMD (.+)$", STAGES[-1], flags=re.MULTILINE)

    assert check == '["python", "-I", "-S", "/app/container/healthcheck.py"]'


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]

    assert "*" in ignored
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source in kept, f"{source} is not in .dockerignore"
    assert sorted(kept) == sorted(copied())


def test_nothing_secret_or_local_gets_into_the_image() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "*"]

    for path in (".env", ".local/roles.json", "container/.env", ".git/config", "functions/health/__pycache__"):
        assert any(fnmatch.fnmatch(f"/{path}", f"/{pattern}") or fnmatch.fnmatch(path, pattern) for pattern in ignored)
    assert not re.search(r"(?i)^(ARG|ENV) .*(secret|password|token|key)", DOCKERFILE, flags=re.MULTILINE)


def test_the_labels_have_the_projects_version_and_license() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]

    assert f"ARG VERSION={__version__}\n" in STAGES[-1]
    assert f'org.opencontainers.image.licenses="{project["license"]}"' in STAGES[-1]
