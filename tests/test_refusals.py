"""Each public function refuses a value of the wrong kind in one sentence that names the argument.

Not here: fit's own settings (test_settings).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg import errors

DATA = thalweg.salammbo()
SECOND = np.timedelta64(1, "s")
NO_FLAGS = ["no", 1, 0.0, None, [], np.array([True, False])]
RUN = thalweg.fit(DATA, epochs=3)


@pytest.mark.parametrize("given", NO_FLAGS)
@pytest.mark.parametrize(
    "call",
    [
        lambda flag: thalweg.solve(DATA, intercept=flag),
        lambda flag: thalweg.explain(DATA, intercept=flag),
        lambda flag: thalweg.surface(DATA, intercept=flag),
        lambda flag: thalweg.gradients(DATA, parameters=[1.0, 2.0], intercept=flag),
        lambda flag: thalweg.sweep(DATA, lr=[0.1], epochs=2, intercept=flag),
        lambda flag: DATA.summary.solve(intercept=flag),
        lambda flag: DATA.summary.matrix(intercept=flag),
        lambda flag: DATA.summary.triangle(intercept=flag),
        lambda flag: DATA.summary.loss([1.0, 2.0], intercept=flag),
    ],
)
def test_what_merely_counts_as_true_is_no_flag(call: Callable[[Any], Any], given: Any) -> None:
    _is_refused(call, given, "intercept")


@pytest.mark.parametrize(
    ("argument", "call", "wrong"),
    [
        ("every", lambda v: thalweg.fit(DATA, epochs=2, every=v), [0, -1, "1", np.nan, SECOND]),
        ("start", lambda v: thalweg.fit(DATA, epochs=2, start=v), ["", [], [True, 1], {}]),
        ("checkpoint", lambda v: thalweg.fit(DATA, epochs=2, checkpoint=v), [3, b"a", True, ["a"]]),
        ("resume", lambda v: thalweg.fit(DATA, epochs=2, resume=v), [3, b"a", False, RUN]),
        ("progress", lambda v: thalweg.fit(DATA, epochs=2, progress=v), ["no", 1, None, [], RUN]),
        ("path", thalweg.load, [3, b"a", None, RUN, ["a"]]),
        ("path", RUN.save, [3, b"a", None, ["a"]]),
        ("points", lambda v: thalweg.surface(DATA, points=v), [1, 2.5, "9", True, 10**9, SECOND]),
        ("path", lambda v: thalweg.surface(DATA, path=v), ["run", {}, 3, [[1.0]], object()]),
        ("along", lambda v: thalweg.surface(DATA, along=v), ["", "axis", ("bias",), 3]),
        ("along", lambda v: thalweg.surface(DATA, along=v), [np.array([True, False]), np.array(1)]),
        ("ranges", lambda v: thalweg.surface(DATA, ranges=v), [np.array(0.5), 1, [(1, 2)], {}]),
        (
            "dtype",
            lambda v: thalweg.gradients(DATA, parameters=[1, 2], dtype=v),
            [np.array(["float64"]), np.array([1, 2]), None, float, {}],
        ),
        (
            "name",
            lambda v: thalweg.Dataset([1.0], [1.0], name=v),
            [None, 3, "\ud800"],
        ),
        (
            "units",
            lambda v: thalweg.Dataset([1.0], [1.0], units=v),
            [{"x": 3}, {"x": None}, {"x": "\ud800"}, {1: "m"}, {"z": "m"}],
        ),
        ("batches", thalweg.Summary.of_batches, [None, 1, DATA]),
        ("other", DATA.summary.merge, [1, None, DATA]),
        (
            "features",
            lambda v: thalweg.Summary.of_batches([([[1.0]], [1.0])], features=v),
            [5, [1], [["a"]], "a", [], ["a", "b"], [None]],
        ),
        (
            "target",
            lambda v: thalweg.Summary.of_batches([([[1.0]], [1.0])], target=v),
            [3, None, ["y"]],
        ),
        (
            "blocks",
            thalweg.Summary.of_blocks,
            [
                5, [5], [(0, 5)], [(0.5, DATA.summary)], [("a", DATA.summary)], DATA.summary,
                [(-1, DATA.summary)], [(1, DATA.summary)], [],
            ],
        ),

        ("run", lambda v: thalweg.explain(DATA, run=v), ["run", 3, {}, RUN.path]),
        ("parameters", lambda v: thalweg.gradients(DATA, parameters=v), ["", [], [10**400, 1]]),
        (
            "optimizer",
            lambda v: thalweg.sweep(DATA, optimizer=v, lr=0.1),
            [None, 3, [], np.array("adam")],
        ),
        ("lr", lambda v: thalweg.sweep(DATA, lr=v, epochs=2), [[], ["a"], [SECOND], [0.1, True]]),
        ("start", lambda v: thalweg.sweep(DATA, lr=1, start=v), [[], [1.5], "", [SECOND]]),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused_by_its_name(
    argument: str, call: Callable[[Any], Any], wrong: list[Any]
) -> None:
    for given in wrong:
        _is_refused(call, given, argument)


def _is_refused(call: Callable[[Any], Any], given: Any, argument: str) -> None:
    with pytest.raises((errors.InvalidSetting, errors.InvalidData)) as caught:
        call(given)
    said = str(caught.value)
    assert said.startswith(f"{argument}: got "), (given, said)
    assert ", expected " in said
    assert len(said) < 600
