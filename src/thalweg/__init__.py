"""Linear regression by gradient descent: fitted, kept whole, and shown.

Everything public is here; a name is imported when it is first used, so that
``import thalweg`` stays quick. No module bears the name of a public function: whichever was
imported last would hide the other.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from thalweg import errors as errors
    from thalweg.chapters import salammbo as salammbo
    from thalweg.corpus import count_letters as count_letters
    from thalweg.dataset import Dataset as Dataset
    from thalweg.descent import fit as fit
    from thalweg.gradient_check import gradients as gradients
    from thalweg.run import Outcome as Outcome
    from thalweg.run import Run as Run
    from thalweg.run_file import load as load

# Where each public name lives; a module itself has no home but its own.
_HOMES = {
    "Dataset": "dataset",
    "Outcome": "run",
    "Run": "run",
    "count_letters": "corpus",
    "errors": "",
    "fit": "descent",
    "gradients": "gradient_check",
    "load": "run_file",
    "salammbo": "chapters",
}

__all__ = [
    "Dataset",
    "Outcome",
    "Run",
    "__version__",
    "count_letters",
    "errors",
    "fit",
    "gradients",
    "load",
    "salammbo",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    home = _HOMES[name]
    value = (
        getattr(import_module(f"thalweg.{home}"), name)
        if home
        else import_module(f"thalweg.{name}")
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
