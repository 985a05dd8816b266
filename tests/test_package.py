"""The wheel, installed where there is nothing: no PyTorch, no scikit-learn, no source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import thalweg

ROOT = Path(__file__).resolve().parents[1]


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
