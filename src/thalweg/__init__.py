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
    from thalweg import figures as figures
    from thalweg.chapters import salammbo as salammbo
    from thalweg.corpus import count_letters as count_letters
    from thalweg.dataset import Dataset as Dataset
    from thalweg.descent import fit as fit
    from thalweg.diagnosis import Diagnosis as Diagnosis
    from thalweg.diagnosis import explain as explain
    from thalweg.gradient_check import gradients as gradients
    from thalweg.loss_surface import Surface as Surface
    from thalweg.loss_surface import surface as surface
    from thalweg.reading.files import read as read
    from thalweg.reading.files import scan as scan
    from thalweg.run import Outcome as Outcome
    from thalweg.run import Run as Run
    from thalweg.run_file import load as load
    from thalweg.summary import Summary as Summary
    from thalweg.summary import solve as solve
    from thalweg.summary.solution import Solution as Solution
    from thalweg.sweeps import Sweep as Sweep
    from thalweg.sweeps import sweep as sweep

# Where each public name lives; a module itself has no home but its own.
_HOMES = {
    "Dataset": "dataset",
    "Diagnosis": "diagnosis",
    "Outcome": "run",
    "Run": "run",
    "Solution": "summary.solution",
    "Summary": "summary",
    "Surface": "loss_surface",
    "Sweep": "sweeps",
    "count_letters": "corpus",
    "errors": "",
    "explain": "diagnosis",
    "figures": "",
    "fit": "descent",
    "gradients": "gradient_check",
    "load": "run_file",
    "read": "reading.files",
    "salammbo": "chapters",
    "scan": "reading.files",
    "solve": "summary",
    "surface": "loss_surface",
    "sweep": "sweeps",
}

__all__ = [
    "Dataset",
    "Diagnosis",
    "Outcome",
    "Run",
    "Solution",
    "Summary",
    "Surface",
    "Sweep",
    "__version__",
    "count_letters",
    "errors",
    "explain",
    "figures",
    "fit",
    "gradients",
    "load",
    "read",
    "salammbo",
    "scan",
    "solve",
    "surface",
    "sweep",
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
