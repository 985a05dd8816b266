"""Linear regression by gradient descent: fitted, kept whole, and shown.

Everything public is here; a name is imported when it is first used, so that
``import thalweg`` stays quick. No module directly in here bears the name of a public function:
whichever was imported last would hide the other.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from thalweg import errors as errors
    from thalweg import figures as figures
    from thalweg.data.chapters import salammbo as salammbo
    from thalweg.data.dataset import Dataset as Dataset
    from thalweg.data.files import read as read
    from thalweg.data.files import scan as scan
    from thalweg.data.scanning import Scan as Scan
    from thalweg.data.texts import count_letters as count_letters
    from thalweg.descent.fit import fit as fit
    from thalweg.diagnosis.diagnosis import Diagnosis as Diagnosis
    from thalweg.diagnosis.diagnosis import explain as explain
    from thalweg.gradient_check import gradients as gradients
    from thalweg.loss_surface.surface import Surface as Surface
    from thalweg.loss_surface.surface import surface as surface
    from thalweg.progress import Progress as Progress
    from thalweg.runs.run import Outcome as Outcome
    from thalweg.runs.run import Run as Run
    from thalweg.runs.run_file import load as load
    from thalweg.summary.exact import solve as solve
    from thalweg.summary.solution import Solution as Solution
    from thalweg.summary.summary import Summary as Summary
    from thalweg.sweeps.sweep import Sweep as Sweep
    from thalweg.sweeps.sweep import sweep as sweep

# Where each public name lives; a module itself has no home but its own.
_HOMES = {
    "Dataset": "data.dataset",
    "Diagnosis": "diagnosis.diagnosis",
    "Outcome": "runs.run",
    "Progress": "progress",
    "Run": "runs.run",
    "Scan": "data.scanning",
    "Solution": "summary.solution",
    "Summary": "summary.summary",
    "Surface": "loss_surface.surface",
    "Sweep": "sweeps.sweep",
    "count_letters": "data.texts",
    "errors": "",
    "explain": "diagnosis.diagnosis",
    "figures": "",
    "fit": "descent.fit",
    "gradients": "gradient_check",
    "load": "runs.run_file",
    "read": "data.files",
    "salammbo": "data.chapters",
    "scan": "data.files",
    "solve": "summary.exact",
    "surface": "loss_surface.surface",
    "sweep": "sweeps.sweep",
}

__all__ = [
    "Dataset",
    "Diagnosis",
    "Outcome",
    "Progress",
    "Run",
    "Scan",
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
