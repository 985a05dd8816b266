"""The settings of a fit: the one definition of what ``fit`` can be asked.

Each field says what it means, its range, its choices and its default. The signature of ``fit``,
the axes of a sweep, the estimator's parameters, the command line's options, the lab's controls
and run files come from here. Not here: the optimisers' own settings, which stand in their files
(:mod:`thalweg.optimizers`); what is done with any of them (:mod:`thalweg.descent`).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from thalweg.errors import InvalidSetting
from thalweg.kinds import POSITIVE, PRECISIONS, Choice, Flag, Kind, Number, Whole
from thalweg.losses import DELTA, DELTA_DEFAULT, LOSSES, MSE, Loss, make_loss
from thalweg.optimizers.choice import TorchRule as TorchRule  # the plan takes it from here
from thalweg.optimizers.choice import choose_rule
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import LR, Rule, declared

ENGINES = ("auto", "compiled", "reference")
TOLERATED = ("gradient_norm", "loss")
_FIRST = {"optimizer": "nadam", "lr": 0.01, "loss": "mse"}  # the lesson's first descent


@dataclass(frozen=True)
class _Batches(Kind):
    """Batches written out: the row numbers of each, as a tuple of tuples of int."""

    expected = "lists of row numbers, one list a batch, none empty"

    def normal(self, value: Any) -> tuple[tuple[int, ...], ...] | None:
        """Write the batches out."""
        try:
            batches = tuple(_row_numbers(batch) for batch in value)
        except TypeError:
            return None
        return batches if batches and all(batches) else None


def _row_numbers(batch: Any) -> tuple[int, ...]:
    """Take whole numbers; truth values would be a mask's, and bytes count as numbers to Python."""
    rows = list(batch)
    if isinstance(batch, bytes | bytearray) or any(isinstance(row, bool) for row in rows):
        raise TypeError
    return tuple(map(operator.index, rows))


_EITHER = "say one of the two"


def _setting(default: Any, kind: Kind) -> Any:
    return field(default=default, metadata={"kind": kind})


@dataclass(frozen=True, repr=False)
class Settings:
    """Everything that was asked of a fit; made by :meth:`of`, which checks and normalises.

    Frozen, hashable, and without anything inside that could change. A field's ``kind`` in its
    metadata says what it means and what it can be; so do ``OPTIMIZER``, ``LR``,
    ``LOSS`` and ``DELTA`` for what the first two fields are made of.

    Attributes
    ----------
    rule : Rule or TorchRule
        The optimiser with all its settings: ``optimizer``, ``lr`` and the hyper-parameters.
    loss_function : Loss
        The loss: ``loss`` and ``delta``.

    Examples
    --------
    >>> asked = Settings.of(optimizer="sgd", lr=0.1, momentum=0.9, batch_size=4)
    >>> asked
    Settings(optimizer='sgd', lr=0.1, momentum=0.9, batch_size=4)
    >>> asked.rule.momentum, asked.epochs
    (0.9, 250)
    """

    rule: Rule | TorchRule
    loss_function: Loss
    epochs: int = _setting(  # as many as the lesson's first descent
        250,
        Whole(
            "How often the descent goes through all the rows.",
            "try {epochs}",
            low=1,
            high=2**63 - 1,
            example=250,
        ),
    )
    batch_size: int | None = _setting(
        None,
        Whole(
            "How many rows each step sees: all of them, which is batch descent, or so many; 1 is "
            "stochastic descent.",
            "leave it out to take all the rows",
            optional=True,
            low=1,
            high=2**63 - 1,
        ),
    )
    shuffle: bool = _setting(False, Flag("Draws a new order of the rows for each epoch.", _EITHER))
    drop_last: bool = _setting(
        False,
        Flag("Leaves out a last batch that is shorter than the others.", _EITHER),
    )
    batch_sampler: tuple[tuple[int, ...], ...] | None = _setting(
        None,
        _Batches(
            "The row numbers of each batch written out, in place of the three above; they may "
            "overlap.",
            "try [[0, 1, 2, 3], [4, 5, 6, 7]]",
            optional=True,
        ),
    )
    seed: int = _setting(
        0,
        Whole(
            "The number that the start and the shuffles are drawn from: PyTorch's after "
            "manual_seed.",
            "any whole number that PyTorch's manual_seed takes gives a stream",
            low=-(2**63),
            high=2**64 - 1,
        ),
    )
    intercept: bool = _setting(True, Flag("Whether there is a bias.", _EITHER))
    standardize: bool = _setting(
        False,
        Flag(
            "Descends in features of mean 0 and deviation 1; results stay in your units.",
            _EITHER,
        ),
    )
    engine: str = _setting(
        "auto",
        Choice(
            "What walks: native code in float64, PyTorch itself, or whichever applies, native "
            "code first.",
            choices=ENGINES,
        ),
    )
    dtype: str = _setting(
        None,  # settled by `of`, with the engine
        Choice(
            "The precision; left out it is the engine's own, float64 or PyTorch's float32.",
            optional=True,
            choices=PRECISIONS,
        ),
    )
    record: str | int = _setting(
        "epoch",
        Choice(
            "Which points of the path to keep: one an epoch, each step, or every k-th step.",
            "say 'epoch', 'step', or how many steps lie between two points",
            choices=("epoch", "step"),
            also=Whole("", low=1, high=2**63 - 1),
        ),
    )
    tolerance: float | None = _setting(
        None,
        Number(
            "Stops the descent early; left out, all the epochs are walked.",
            "try {tolerance}",
            example=0.01,
            optional=True,
            range=POSITIVE,
        ),
    )
    tolerance_on: str = _setting(  # never the loss's last change: a crawl is not an arrival
        "gradient_norm",
        Choice(
            "What the tolerance is on: an epoch's gradient norm, or how far its loss is above the "
            "exact one, as a fraction of that.",
            choices=TOLERATED,
        ),
    )

    @classmethod
    def of(
        cls,
        *,
        optimizer: Any = _FIRST["optimizer"],
        lr: Any = _FIRST["lr"],
        loss: Any = _FIRST["loss"],
        delta: Any = None,
        **given: Any,
    ) -> Settings:
        """Make settings of the keywords of ``fit``, each checked and made Python's own.

        Raises
        ------
        InvalidSetting
            On a setting that does not exist or a value it cannot take.
        """
        own: dict[str, Any] = {}
        of_rule: dict[str, Any] = {}
        for name, value in given.items():
            kind = _KINDS.get(name)
            if kind is None:
                of_rule[name] = value
            else:
                own[name] = kind.take(name, value)
        rule = choose_rule(optimizer, lr, of_rule, _BESIDE)
        function = make_loss(loss, delta)
        own["engine"], own["dtype"] = _choose_engine(own.get("engine"), own.get("dtype"), rule)
        if "batch_sampler" in own or "drop_last" in own:
            _check_batches(own)
        if own.get("tolerance_on") == "loss" and own.get("tolerance") is not None:
            _check_tolerance(function)
        made = cls.__new__(cls)  # a frozen class sets field by field, in 1.5 µs; defaults are there
        vars(made).update(own, rule=rule, loss_function=function)
        return made

    @property
    def optimizer(self) -> str:
        """The optimiser's name, PyTorch's in lower case."""
        if isinstance(self.rule, TorchRule):
            return self.rule.name.lower()
        return type(self.rule).__name__.lower()

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self.rule.lr

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """The optimiser's other settings under PyTorch's names, defaults included; read-only."""
        if isinstance(self.rule, TorchRule):
            return MappingProxyType(dict(self.rule.settings))
        return MappingProxyType({k: v for k, v in self.rule._asdict().items() if k != "lr"})

    @property
    def own_changes(self) -> dict[str, Any]:
        """The optimiser's other settings, where they differ from PyTorch's defaults."""
        rule = RULES.get(self.optimizer)
        defaults = {} if rule is None else declared(rule).defaults
        return {
            name: value
            for name, value in self.hyperparameters.items()
            if name not in defaults or defaults[name] != value
        }

    @property
    def loss(self) -> str:
        """The loss's name: ``"mse"``, ``"l1"`` or ``"huber"``."""
        return type(self.loss_function).__name__.lower()

    @property
    def delta(self) -> float:
        """Where the Huber loss turns from a parabola into a line; unused by the others."""
        return getattr(self.loss_function, "delta", DELTA_DEFAULT)

    def keywords(self) -> dict[str, Any]:
        """Give all settings as the keywords with which ``fit`` is asked the same."""
        optimizer: Any = self.optimizer
        if isinstance(self.rule, TorchRule) and self.rule.torch_class is not None:
            optimizer = self.rule.torch_class
        named: dict[str, Any] = {"optimizer": optimizer, "lr": self.lr, **self.hyperparameters}
        named |= {"loss": self.loss, "delta": self.delta}
        return named | {name: getattr(self, name) for name in _KINDS}

    def changed(self) -> dict[str, Any]:
        """Give the keywords that differ from the defaults; optimiser and rate always.

        The optimiser's own settings are held against PyTorch's defaults; engine and precision
        are left out where they follow from the rest.
        """
        alone = isinstance(self.rule, TorchRule)
        own_precision = "float32" if self.engine == "reference" else "float64"
        follows = {"engine": "reference" if alone else "compiled", "dtype": own_precision}
        defaults = {**DEFAULTS, **follows}
        keywords = self.keywords()
        always = {name: keywords[name] for name in ("optimizer", "lr")}
        others = {name: keywords[name] for name in defaults if keywords[name] != defaults[name]}
        return always | self.own_changes | others

    def call(self) -> dict[str, Any]:
        """Give the keywords that a call of ``fit`` shows: :meth:`changed`, and the epochs."""
        epochs, changed = {"epochs": self.epochs}, self.changed()
        first = {name: changed.pop(name) for name in ("optimizer", "lr", *self.own_changes)}
        return first | epochs | changed

    def replace(self, **changes: Any) -> Settings:
        """Give settings with other values, checked again."""
        return Settings.of(**{**self.keywords(), **changes})

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.changed().items())
        return f"Settings({said})"


OPTIMIZER = "The rule that turns gradients into steps: any optimiser of torch.optim, by its name."
LOSS = Choice(
    "What is made small: the mean of the squared, absolute or Huber residuals.",
    choices=tuple(LOSSES),
)

_KINDS: dict[str, Kind] = {f.name: f.metadata["kind"] for f in fields(Settings) if f.metadata}
DEFAULTS: dict[str, Any] = {
    **_FIRST,
    "delta": DELTA_DEFAULT,
    **{f.name: f.default for f in fields(Settings) if f.default is not MISSING},
}
"""Every keyword of ``fit`` that says how to descend, with its default, in the order of its help."""
_BESIDE = (*DEFAULTS, "start", "progress", "checkpoint", "every", "resume")
MEANINGS: dict[str, str] = {
    "optimizer": OPTIMIZER,
    "lr": LR.meaning,
    "loss": LOSS.meaning,
    "delta": DELTA.meaning,
    **{name: kind.meaning for name, kind in _KINDS.items()},
}
"""What each of them means."""


def kind_of(name: str) -> Kind:
    """Give the kind of a keyword of ``fit`` other than the optimiser."""
    others: dict[str, Kind] = {"lr": LR, "loss": LOSS, "delta": DELTA}
    return _KINDS.get(name) or others[name]


# --- Settings that must fit together --------------------------------------------------------------


def _choose_engine(
    engine: str | None, dtype: str | None, rule: Rule | TorchRule
) -> tuple[str, str]:
    """Settle which engine runs, and in which precision; refuse a pair that does not exist."""
    needs_torch = isinstance(rule, TorchRule) or dtype == "float32"
    if engine == "compiled" and needs_torch:
        what = rule.name if isinstance(rule, TorchRule) else "dtype='float32'"
        raise InvalidSetting(
            "engine",
            got=f"'compiled' with {what}",
            expected="'reference', which alone can do that",
            advice="use {engine}",
            suggest={"engine": "auto"},
        )
    if engine == "reference" or needs_torch:
        return "reference", dtype or "float32"
    return "compiled", "float64"


def _check_batches(own: Mapping[str, Any]) -> None:
    given = {name: own.get(name) for name in ("batch_size", "shuffle", "drop_last")}
    also = ", ".join(name for name, value in given.items() if value)
    options = ", ".join(f"{{{name}}}" for name, value in given.items() if value)
    if own.get("batch_sampler") is not None and also:
        raise InvalidSetting(
            "batch_sampler",
            got=f"batches written out, and {also} too",
            expected="one or the other",
            advice=f"leave out {options}: the sampler says which rows each step sees",
            suggest=dict.fromkeys(given, ...),
        )
    if given["drop_last"] and given["batch_size"] is None:
        raise InvalidSetting(
            "drop_last",
            got="True without a batch_size",
            expected="a batch_size whose last, short batch could be dropped",
            advice="add {batch_size}, or leave {drop_last} out",
            suggest={"batch_size": ..., "drop_last": ...},
        )


def _check_tolerance(loss: Loss) -> None:
    if not isinstance(loss, MSE):
        raise InvalidSetting(
            "tolerance_on",
            got=f"'loss' with loss={type(loss).__name__.lower()!r}",
            expected="loss='mse', whose exact solution is known",
            advice="use {tolerance_on}",
            suggest={"tolerance_on": "gradient_norm"},
        )
