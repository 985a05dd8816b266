"""Linear regression by gradient descent: fitted, kept whole, and shown.

Everything public is here; a name is imported when it is first used, so that
``import thalweg`` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from thalweg.corpus import count_letters as count_letters
    from thalweg.dataset import Dataset as Dataset
    from thalweg.salammbo import salammbo as salammbo

_HOMES = {
    "Dataset": "dataset",
    "count_letters": "corpus",
    "salammbo": "salammbo",
}

__all__ = sorted([*_HOMES, "__version__"])  # noqa: PLE0604 - a test holds it against _HOMES


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    value = getattr(import_module(f"thalweg.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
