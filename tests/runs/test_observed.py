"""A run that another loop made: shown like any other, refused where only a fit will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import errors
from thalweg.export import to_pytorch
from thalweg.figures import loss_figure, path_figure
from thalweg.runs.observed import Observed, ParameterGroup


@pytest.fixture(scope="module")
def observed() -> thalweg.Run:
    run = thalweg.fit(thalweg.salammbo(), optimizer="sgd", lr=1e-10, epochs=4)
    seen = Observed((ParameterGroup("Mine", ("weight", "bias"), 0.5, (("momentum", 0.9),)),))
    return replace(run, settings=seen, initial_state=None, rates=np.geomspace(1.0, 0.5, 5))


def test_it_shows_itself(observed: thalweg.Run) -> None:
    assert repr(observed).startswith("Run(Mine, epochs=4, loss=")
    assert "Mine, lr=0.5, in another loop" in observed._repr_html_()
    assert observed.learning_rate[-1] == 0.5
    assert loss_figure(observed).data[0].name == "Mine, lr 0.5"
    assert path_figure({"one": observed}).data
    assert observed.predict([[3000.0]]).dtype == np.float32


def test_the_rate_of_a_fit_is_the_same_throughout() -> None:
    run = thalweg.fit(thalweg.salammbo(), lr=0.25, epochs=3)
    np.testing.assert_array_equal(run.learning_rate, [0.25] * 4)


@pytest.mark.parametrize("use", ["export", "settings", "save"])
def test_what_needs_a_fits_settings_refuses_it_in_one_sentence(
    use: str, observed: thalweg.Run, tmp_path: Path
) -> None:
    uses: dict[str, Callable[[], object]] = {
        "export": lambda: to_pytorch(observed),
        "save": lambda: observed.save(tmp_path / "run.parquet"),
        "settings": lambda: observed.asked,
    }
    with pytest.raises(errors.InvalidSetting) as caught:
        uses[use]()
    assert str(caught.value) == (
        "run: got one that another loop made, with Mine, expected a run of thalweg.fit, which says "
        "all that was asked; fit with thalweg.fit, and use that run"
    )
    assert not list(tmp_path.iterdir())
