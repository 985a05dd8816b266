"""The package's public door: what is in it, and what importing it costs."""

import subprocess
import sys

import thalweg


def test_all_is_sorted_and_holds_every_home() -> None:
    assert thalweg.__all__ == sorted(thalweg.__all__)
    assert set(thalweg.__all__) == {*thalweg._HOMES, "__version__"}


def test_every_public_name_is_there() -> None:
    for name in thalweg.__all__:
        assert getattr(thalweg, name) is not None


def test_no_module_hides_a_public_name() -> None:
    """Importing every module first must leave every public name what it is."""
    code = (
        "import pkgutil, importlib, thalweg\n"
        "for m in pkgutil.walk_packages(thalweg.__path__, 'thalweg.'):\n"
        "    if m.name != 'thalweg.__main__': importlib.import_module(m.name)\n"
        "for name, home in thalweg._HOMES.items():\n"
        "    value = getattr(thalweg, name)\n"
        "    home = importlib.import_module('thalweg.' + (home or name))\n"
        "    assert value is getattr(home, name, home), name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(thalweg, "ridge")


def test_import_is_light() -> None:
    code = (
        "import sys, thalweg\n"
        "heavy = {'numpy', 'numba', 'scipy', 'torch', 'plotly', 'pyarrow', 'sklearn'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_help_is_light() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['thalweg', '--help']\n"
        "from thalweg.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted({'numpy', 'numba', 'torch', 'plotly'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.split() == []
