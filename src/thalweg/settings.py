"""The settings of a fit: checked, completed with their defaults, and kept with the run.

Not here: the optimisers' own settings (:mod:`thalweg.optimizers`), what is done with any of
them (:mod:`thalweg.descent.fit`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.checks import PRECISIONS, check_choice, check_count, check_flag, check_number
from thalweg.descent.plan import Batches, TorchRule
from thalweg.errors import InvalidSetting, nearest, sentence
from thalweg.hyperparameters import make_rule
from thalweg.losses import Huber, Loss, make_loss
from thalweg.optimizers import RULES, Rule

ENGINES = ("auto", "compiled", "reference")
TOLERATED = ("gradient_norm", "loss")

# Words that users bring from elsewhere, and ours for the same thing.
_SYNONYMS = {
    "learning_rate": "lr",
    "eta0": "lr",
    "learning_rate_init": "lr",
    "max_iter": "epochs",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "random_state": "seed",
    "fit_intercept": "intercept",
    "bias": "intercept",
    "tol": "tolerance",
    "solver": "optimizer",
    "criterion": "loss",
}
# How PyTorch computes a step, not what the step is: these settle the reference engine.
_TORCH_FLAGS = frozenset({"foreach", "fused", "capturable", "differentiable"})
_TORCH_ONLY = {"adafactor": "Adafactor", "muon": "Muon"}
_REFUSED = {
    "lbfgs": "it asks for the loss many times in one step, through a closure",
    "sparseadam": "it takes sparse gradients only, and a regression's are dense",
}


@dataclass(frozen=True)
class Settings:
    """Everything that was asked of a fit; each value is checked on creation.

    Parameters
    ----------
    optimizer : str
        PyTorch's name in lower case.
    lr : float
        The learning rate. Default 0.01: the lesson's.
    hyperparameters : mapping
        The optimiser's other settings under PyTorch's names, defaults included.
    epochs : int
        Default 250: the lesson's first descent.
    batch_size : int or None
        Rows a step; None for all of them: batch descent. 1 is stochastic descent.
    shuffle, drop_last : bool
        As in PyTorch's ``DataLoader``.
    batch_sampler : tuple of tuple of int, or None
        The row numbers of each batch written out, as ``DataLoader`` takes it; in place of the
        three above.
    loss : str
        ``"mse"``, ``"l1"`` or ``"huber"``.
    seed : int
        Of the stream that draws the start and shuffles: PyTorch's for the same seed.
    intercept : bool
        Whether there is a bias.
    standardize : bool
        Whether the optimiser walks in standardised features (mean 0, standard deviation 1).
    engine : str
        ``"compiled"`` or ``"reference"``: which one did it.
    dtype : str
        ``"float32"``, PyTorch's default and the reference engine's, or ``"float64"``, the
        compiled engine's.
    record : str or int
        ``"epoch"``, ``"step"``, or a number k: every k-th step.
    tolerance : float or None
        Stops the descent early; None walks all the epochs.
    tolerance_on : str
        What the tolerance is on: ``"gradient_norm"``, or ``"loss"``: its relative distance to
        the exact solution's. Never the loss's last change: a crawl is not an arrival.
    delta : float
        Where the Huber loss turns from a parabola into a line; unused by the others.
    """

    optimizer: str = "nadam"
    lr: float = 0.01
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 250
    batch_size: int | None = None
    shuffle: bool = False
    drop_last: bool = False
    batch_sampler: tuple[tuple[int, ...], ...] | None = None
    loss: str = "mse"
    seed: int = 0
    intercept: bool = True
    standardize: bool = False
    engine: str = "compiled"
    dtype: str = "float64"
    record: str | int = "epoch"
    tolerance: float | None = None
    tolerance_on: str = "gradient_norm"
    delta: float = 1.0

    def __post_init__(self) -> None:
        check_number("lr", self.lr, low=0.0, advice="try lr=0.01")
        check_count("epochs", self.epochs, low=1, advice="try epochs=250")
        check_count("seed", self.seed, low=None, advice="any whole number gives a stream")
        for name in ("shuffle", "drop_last", "intercept", "standardize"):
            check_flag(name, getattr(self, name))
        check_choice("engine", self.engine, ENGINES)
        check_choice("dtype", self.dtype, PRECISIONS)
        check_choice("tolerance_on", self.tolerance_on, TOLERATED)
        if self.batch_size is not None:
            check_count(
                "batch_size", self.batch_size, low=1, advice="leave it out to take all the rows"
            )
        if self.record not in ("epoch", "step"):
            if isinstance(self.record, str):
                check_choice("record", self.record, ("epoch", "step"))
            check_count("record", self.record, low=1, advice="or say 'epoch' or 'step'")
        if self.tolerance is not None:
            check_number("tolerance", self.tolerance, low=0.0, advice="try tolerance=0.01")
        self._check_batches()

    def _check_batches(self) -> None:
        regime = {
            "batch_size": self.batch_size is not None,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
        }
        if self.batch_sampler is not None and any(regime.values()):
            also = ", ".join(name for name, given in regime.items() if given)
            raise InvalidSetting(
                sentence(
                    "batch_sampler",
                    got=f"batches written out, and {also} too",
                    expected="one or the other",
                    advice=f"leave out {also}: the sampler says which rows each step sees",
                )
            )
        if self.drop_last and self.batch_size is None:
            raise InvalidSetting(
                sentence(
                    "drop_last",
                    got="True without a batch_size",
                    expected="a batch_size whose last, short batch could be dropped",
                    advice="add batch_size, or leave drop_last out",
                )
            )


def check_names(
    given: Iterable[str], own: Iterable[str], optimizer: str, known: Iterable[str]
) -> None:
    """Refuse settings that neither ``fit`` nor the optimiser has, all of them at once."""
    known = [*known, *sorted(_TORCH_FLAGS)]
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    valid = [*own, *known]
    advice = "; ".join(
        f"for {name!r} {_advise(name, valid)}" if len(unknown) > 1 else _advise(name, valid)
        for name in unknown
    )
    raise InvalidSetting(
        sentence(
            "fit",
            got=f"unknown setting{'s' * (len(unknown) > 1)} {', '.join(map(repr, unknown))}",
            expected=f"its own settings and those of {optimizer}",
            advice=advice,
        )
    )


def _advise(name: str, valid: list[str]) -> str:
    synonym = _SYNONYMS.get(name)
    return f"did you mean {synonym!r}?" if synonym in valid else nearest(name, valid)


def choose_rule(
    optimizer: object, lr: float, hyperparameters: Mapping[str, Any], own: Iterable[str]
) -> tuple[str, Rule | TorchRule]:
    """Find the rule that a name or a class of ``torch.optim`` means, with its settings checked.

    A rule of ours where there is one; PyTorch's own class, for the reference engine, where
    there is none or a setting of PyTorch's implementation is given.
    """
    if isinstance(optimizer, type):
        name, torch_class = optimizer.__name__.lower(), optimizer
        if not any(base.__module__.startswith("torch.optim") for base in optimizer.__mro__):
            raise _no_optimizer(optimizer.__name__)
    elif isinstance(optimizer, str):
        name, torch_class = optimizer.lower(), None
    else:
        raise _no_optimizer(optimizer)
    if name in _REFUSED:
        raise InvalidSetting(
            sentence(
                "optimizer",
                got=repr(name),
                expected="one that makes a step from one gradient",
                advice=f"{_REFUSED[name]}; try 'nadam'",
            )
        )
    builtin = torch_class is None or torch_class.__module__.startswith("torch.optim")
    if builtin and name in RULES:
        fields = [f for f in RULES[name]._fields if f != "lr"]
        check_names(hyperparameters, own, RULES[name].__name__, fields)
        plain = {k: v for k, v in hyperparameters.items() if k not in _TORCH_FLAGS}
        rule = make_rule(name, lr, plain)
        if len(plain) == len(hyperparameters):
            return name, rule
        return name, TorchRule(RULES[name].__name__, torch_class, {"lr": lr, **hyperparameters})
    if torch_class is None and name not in _TORCH_ONLY:
        raise _no_optimizer(optimizer)
    class_name = torch_class.__name__ if torch_class else _TORCH_ONLY[name]
    return name, TorchRule(class_name, torch_class, {"lr": lr, **hyperparameters})


def class_name(optimizer: str) -> str | None:
    """Spell an optimiser as its class in ``torch.optim`` is; None where it is not from there."""
    return RULES[optimizer].__name__ if optimizer in RULES else _TORCH_ONLY.get(optimizer)


def _no_optimizer(optimizer: object) -> InvalidSetting:
    return InvalidSetting(
        sentence(
            "optimizer",
            got=repr(optimizer),
            expected="the name or the class of an optimiser of torch.optim",
            advice=nearest(str(optimizer), sorted([*RULES, *_TORCH_ONLY])),
        )
    )


def write_out(batch_sampler: object) -> tuple[tuple[int, ...], ...] | None:
    """Write out a ``batch_sampler``: an iterable of batches, each an iterable of row numbers."""
    if batch_sampler is None:
        return None
    try:
        batches = tuple(tuple(int(i) for i in batch) for batch in batch_sampler)  # type: ignore[attr-defined]  # checked by trying
    except (TypeError, ValueError):
        batches = ()
    if not batches or not all(batches):
        raise InvalidSetting(
            sentence(
                "batch_sampler",
                got=repr(batch_sampler),
                expected="lists of row numbers, one list a batch, none empty",
                advice="try [[0, 1, 2, 3], [4, 5, 6, 7]]",
            )
        )
    return batches


def check_rows(settings: Settings, n: int) -> Batches:
    """Hold the batches against the number of rows; give them as an engine takes them."""
    if settings.batch_sampler is not None:
        rows = tuple(np.array(batch, dtype=np.int64) for batch in settings.batch_sampler)
        worst = max(max(batch) for batch in settings.batch_sampler)
        least = min(min(batch) for batch in settings.batch_sampler)
        if least < 0 or worst >= n:
            raise InvalidSetting(
                sentence(
                    "batch_sampler",
                    got=f"row {least if least < 0 else worst}",
                    expected=f"row numbers from 0 to {n - 1}",
                    advice="rows are counted from 0",
                )
            )
        return Batches(sampler=rows)
    if settings.drop_last and settings.batch_size is not None and settings.batch_size > n:
        raise InvalidSetting(
            sentence(
                "batch_size",
                got=f"{settings.batch_size} for {n} rows, with drop_last",
                expected=f"at most {n}, or no step would be left",
                advice="lower batch_size or leave drop_last out",
            )
        )
    return Batches(settings.batch_size, bool(settings.shuffle), bool(settings.drop_last))


def choose_loss(loss: object, delta: float) -> tuple[str, Loss]:
    """Find the loss that a name means; ``delta`` belongs to Huber's."""
    chosen = make_loss(loss)
    if isinstance(chosen, Huber):
        chosen = make_loss(Huber(delta))
    elif delta != 1.0:
        raise InvalidSetting(
            sentence(
                "delta",
                got=f"{delta!r} with loss={loss!r}",
                expected="loss='huber', which alone has one",
                advice="leave delta out",
            )
        )
    return type(chosen).__name__.lower(), chosen
