"""What is handed out: the wheel, installed where there is nothing; the sdist; what they declare."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import thalweg

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Where a package is imported by another name.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "python_calamine": "python-calamine"}
NOT_IMPORTED = {"websockets"}  # Uvicorn's, for the page's sockets
ONLY_WHERE_IT_RUNS = {"IPython"}  # a notebook's own: whoever runs one has it


def run(*command: str | Path, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--wheel-dir", folder, ROOT, cwd=folder,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    run(
        folder / "venv" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check",
        "--constraint", ROOT / "constraints.txt", wheel, cwd=folder,
    )  # fmt: skip
    return folder


def test_the_wheel_holds_what_it_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tracked = [p.relative_to(ROOT / "src") for p in (ROOT / "src" / "thalweg").rglob("*")]
    for path in tracked:
        if path.suffix in {".py", ".html", ".css", ".js", ".typed"} or path.name == "py.typed":
            assert path.as_posix() in names
    assert not [name for name in names if name.endswith((".nbi", ".nbc", ".pyc"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_fits_without_pytorch(empty: Path) -> None:
    code = (
        "import importlib.util, thalweg\n"
        "assert importlib.util.find_spec('torch') is None\n"
        "run = thalweg.fit(thalweg.salammbo(), seed=4321)\n"
        "assert run.settings.engine == 'compiled'\n"
        "print(run.path[0].tolist(), thalweg.__version__)\n"
        "shuffled = thalweg.fit(thalweg.salammbo(), seed=1, batch_size=4, shuffle=True, epochs=9)\n"
        "print(shuffled.parameters.tolist())\n"
    )
    done = run(empty / "venv" / "bin" / "python", "-c", code, cwd=empty)
    first, second = done.stdout.splitlines()
    here = thalweg.fit(thalweg.salammbo(), seed=4321)
    reference = thalweg.fit(
        thalweg.salammbo(), seed=1, batch_size=4, shuffle=True, epochs=9, engine="reference",
        dtype="float64",
    )  # fmt: skip
    assert first == f"{here.path[0].tolist()} {thalweg.__version__}"
    got = [float(word) for word in second.strip("[]").split(",")]
    assert got == pytest.approx(reference.parameters.tolist(), rel=1e-9)


def test_a_missing_extra_says_its_command(empty: Path) -> None:
    done = run(empty / "venv" / "bin" / "thalweg", "lesson", cwd=empty, expect=2)
    assert "pip install 'thalweg[torch]'" in done.stderr
    assert "Traceback" not in done.stderr
    code = (
        "import thalweg\n"
        "try: thalweg.fit(thalweg.salammbo(), engine='reference')\n"
        "except thalweg.errors.MissingExtra as error: print(error)"
    )
    done = run(empty / "venv" / "bin" / "python", "-c", code, cwd=empty)
    assert done.stdout.strip() == (
        "The reference engine needs an optional part that is not installed; install it with: "
        "pip install 'thalweg[torch]'"
    )


def test_the_command_line_counts(empty: Path) -> None:
    (empty / "one.txt").write_text("Une âme.\n\nA sail.\n", encoding="utf-8")
    done = run(empty / "venv" / "bin" / "thalweg", "count", "one.txt", cwd=empty)
    assert done.stdout == "chapter,characters,A\none.txt,16,2\n"


def lowest(requirements: list[str]) -> dict[str, str]:
    """Give each requirement's lowest version by its name; one of another form fails here."""
    return dict(each.split(">=") for each in requirements)


def imported_packages(folder: Path) -> set[str]:
    """Name the top-level packages that modules import anywhere: at their top or in a function."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names


def test_what_is_imported_is_declared() -> None:
    extras = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
    declared = {*lowest(PROJECT["dependencies"]), *lowest(extras)}
    foreign = imported_packages(ROOT / "src") - sys.stdlib_module_names - {"thalweg"}
    needed = {DISTRIBUTIONS.get(name, name) for name in foreign - ONLY_WHERE_IT_RUNS}
    assert needed == declared - NOT_IMPORTED


def test_the_lowest_versions_are_those_that_are_tried() -> None:
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    allowed = lowest([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sklearn"]])
    got = {name: tried[name] for name in allowed}
    assert {name: _release(version) for name, version in got.items()} == {
        name: _release(version) for name, version in allowed.items()
    }


def _release(version: str) -> tuple[int, ...]:
    """Read a version's numbers, without the zeros at its end: 2.0.0 is 2.0."""
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked in an empty folder."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (packed,) = folder.glob("*.tar.gz")
    run("tar", "-xzf", packed, "-C", folder, cwd=folder)
    return folder / packed.name.removesuffix(".tar.gz")


def test_the_sdist_is_the_whole_repository(sdist: Path) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no repository to compare with")
    tracked = run("git", "ls-files", "--cached", cwd=ROOT).stdout.splitlines()
    packed = {p.relative_to(sdist).as_posix() for p in sdist.rglob("*") if p.is_file()}
    missing = {name for name in tracked if (ROOT / name).exists()} - packed
    assert not missing
    assert not [name for name in packed if name.endswith((".nbi", ".nbc", ".pyc"))]


def test_the_sdist_can_run_its_own_tests(sdist: Path) -> None:
    for target in ("test", "test-long", "test-lowest", "fuzz"):
        run("make", "-n", target, cwd=sdist)
    read = ["-c", "import test_readme, test_package"]  # they read what lies beside the tests
    run(sys.executable, *read, cwd=sdist / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only"]
    run(*command, "tests/test_readme.py", "tests/test_public_door.py", cwd=sdist)
