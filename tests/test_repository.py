"""What the files of the repository say of each other is true: versions, addresses, targets."""

import re
import subprocess
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

from tartarus_cli.diagnosis.libraries import installed_version, parse_requirement
from tartarus_cli.extras import OPTIONAL_LIBRARIES

ROOT = Path(__file__).parent.parent
ADDRESS = "https://github.com/tartarus-cli/tartarus"
PLAIN = (
    *("typer", "rich", "numpy", "scipy", "h5py"),
    *("keras", "jax", "librosa", "scikit-learn", "matplotlib", "implicit", "polars"),
)


@cache
def project() -> dict[str, Any]:
    """Read what pyproject.toml says of the project."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@cache
def citation() -> dict[str, Any]:
    """Read the fields of CITATION.cff."""
    fields: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    return fields


@cache
def jobs() -> dict[str, Any]:
    """Return the jobs of the workflow by their names."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    found: dict[str, Any] = workflow["jobs"]
    return found


def commands(job: dict[str, Any]) -> list[str]:
    """Lines that a job runs in a shell."""
    return [line for step in job["steps"] for line in step.get("run", "").splitlines()]


def targets(text: str) -> set[str]:
    """Names of the Makefile's targets that a text calls."""
    return set(re.findall(r"(?:^|run: |[`'])make ([a-z][a-z-]*)", text, re.MULTILINE))


def makefile_targets() -> set[str]:
    """Names of the targets that the Makefile has."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_nothing_lies_at_the_top_but_what_belongs_there() -> None:
    if not (ROOT / ".git").exists() or which("git") is None:
        pytest.skip("not a checkout of git")
    git = ["git", "-C", str(ROOT), "ls-tree", "-d", "--name-only", "HEAD"]
    listed = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603
    if listed.returncode:
        pytest.skip(f"git cannot read the checkout: {listed.stderr}")
    folders = {".ci", ".github", "examples", "tartarus_cli", "tests"}
    assert {*listed.stdout.split()} == folders


def test_the_citation_is_of_this_version() -> None:
    assert citation()["cff-version"] == "1.2.0"
    assert citation()["version"] == project()["version"]
    assert citation()["license"] == project()["license"]
    assert citation()["repository-code"] == project()["urls"]["Repository"] == ADDRESS


def test_the_citation_has_the_three_papers_with_their_authors_in_order() -> None:
    papers = [
        ([author["family-names"] for author in paper["authors"]], paper["year"], paper.get("doi"))
        for paper in citation()["references"]
    ]
    assert papers == [
        (["Oramas", "Nieto", "Sordo", "Serra"], 2017, "10.1145/3125486.3125492"),
        (["Oramas", "Nieto", "Barbieri", "Serra"], 2017, None),
        (["Oramas", "Barbieri", "Nieto", "Serra"], 2018, "10.5334/tismir.10"),
    ]


def test_every_address_of_the_project_is_below_one() -> None:
    assert {"Homepage", "Repository", "Documentation", "Issues", "Changelog"} <= {
        *project()["urls"]
    }
    for address in project()["urls"].values():
        assert address.startswith(ADDRESS)
    file = project()["urls"]["Changelog"].removeprefix(f"{ADDRESS}/blob/main/")
    assert (ROOT / file).is_file()


def test_the_workflow_tests_every_python_that_is_promised() -> None:
    promised = [
        version
        for classifier in project()["classifiers"]
        for version in re.findall(r"^Programming Language :: Python :: (3\.\d+)$", classifier)
    ]
    assert jobs()["test"]["strategy"]["matrix"]["python"] == promised
    assert project()["requires-python"] == f">={promised[0]}"


def test_the_workflow_tests_linux_and_macos_and_may_fail_on_windows() -> None:
    assert jobs()["test"]["strategy"]["matrix"]["os"] == ["ubuntu-latest", "macos-latest"]
    lenient = [name for name, job in jobs().items() if job.get("continue-on-error")]
    assert lenient == ["windows"]


@pytest.mark.parametrize(
    "name", [".github/workflows/ci.yml", ".ci/run", "README.md", "CONTRIBUTING.md"]
)
def test_every_make_target_that_a_file_names_exists(name: str) -> None:
    if name == ".ci/run" and not (ROOT / name).exists():
        pytest.skip("not part of a source distribution")
    called = targets((ROOT / name).read_text())
    assert called
    assert called <= makefile_targets()


def test_the_workflow_checks_tests_and_tries_the_lowest_versions() -> None:
    called = targets("\n".join(line for job in jobs().values() for line in commands(job)))
    assert called == {"check", "test-all", "test-lowest"}


def test_every_dependency_has_a_lower_bound_to_be_tested() -> None:
    groups = (project()["dependencies"], *project()["optional-dependencies"].values())
    for requirement in (each for group in groups for each in group):
        assert re.match(r"[\w-]+(\[\w+\])?>=\d", requirement), requirement


def test_what_the_commands_of_the_readme_need_is_installed_plainly() -> None:
    plain = {re.split(r"[>;]", requirement)[0] for requirement in project()["dependencies"]}
    assert {*PLAIN} <= plain


def test_every_library_that_is_installed_is_known_by_its_module() -> None:
    extras = project()["optional-dependencies"]
    groups = (project()["dependencies"], *(extras[name] for name in extras if name != "dev"))
    wanted = [parse_requirement(line) for group in groups for line in group]
    installed = [each for each in wanted if each is not None and installed_version(each.name)]
    assert {"numpy", "scikit-learn"} <= {each.name for each in installed}
    for each in installed:
        assert find_spec(each.module) is not None, each.name


def test_every_extra_that_an_error_names_exists() -> None:
    remedies = " ".join(library.remedy for library in OPTIONAL_LIBRARIES.values())
    named = set(re.findall(r"tartarus-cli\[(\w+)\]", remedies))
    assert named
    assert named <= {*project()["optional-dependencies"]}


def test_the_package_that_is_called_typed_says_so_to_type_checkers() -> None:
    assert "Typing :: Typed" in project()["classifiers"]
    assert (ROOT / "tartarus_cli" / "py.typed").is_file()
