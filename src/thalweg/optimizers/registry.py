"""Every rule by its name: found in this package's files.

Not here: what a rule is (:mod:`thalweg.optimizers.rule`), which one a user's words mean
(:mod:`thalweg.optimizers.choice`).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from thalweg import optimizers
from thalweg.optimizers.rule import Rule

_OWN_FILES = ("choice", "registry", "rule")


def _named() -> Iterator[tuple[str, type[Rule]]]:
    """Find what each file of the package offers in its ``__all__``."""
    for file in iter_modules(optimizers.__path__):
        if file.name not in _OWN_FILES:
            module = import_module(f"{optimizers.__name__}.{file.name}")
            for name in module.__all__:
                yield name.lower(), getattr(module, name)


RULES: dict[str, type[Rule]] = dict(sorted(_named()))
"""Each rule by the name that :func:`thalweg.fit` takes."""
