"""The figures of the diagnosis: what they draw, against the loss and the path themselves."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg
from thalweg.errors import InvalidData
from thalweg.figures.directions import directions_figure, distances_figure

DRAWING = 1e-6  # relative: coordinates may be stored in single precision


@pytest.fixture(scope="module")
def run() -> thalweg.Run:
    return thalweg.fit(thalweg.salammbo(), epochs=40, seed=4321)


@pytest.fixture(scope="module")
def wide() -> thalweg.Run:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 9)) * np.arange(1.0, 10.0) + 1.0
    return thalweg.fit((X, X.sum(axis=1) + rng.normal(size=60)), optimizer="sgd", lr=1e-3)


def test_the_directions_end_where_the_loss_is_the_variance_higher(run: thalweg.Run) -> None:
    summary = run.summary
    figure = directions_figure(thalweg.explain(run))
    rise = np.var(thalweg.salammbo().y)
    for trace in figure.data[-2:]:
        for bias, weight in zip(trace.x, trace.y, strict=True):
            above = summary.loss([bias, weight]) - summary.solve().loss
            assert above == pytest.approx(rise, rel=DRAWING)
    assert [t.name for t in figure.data[-2:]] == ["steepest direction", "flattest direction"]
    assert figure.layout.title.text == "Directions of curvature"


def test_the_directions_look_different_without_colour(run: thalweg.Run) -> None:
    steep, flat = directions_figure(thalweg.explain(run)).data[-2:]
    assert steep.line.dash != flat.line.dash


def test_many_parameters_are_drawn_on_the_plane_of_both_directions(wide: thalweg.Run) -> None:
    figure = directions_figure(thalweg.explain(wide))
    steep, flat = (np.column_stack([t.x, t.y]) for t in figure.data[-2:])
    assert np.ptp(steep[:, 1]) == pytest.approx(0.0, abs=1e-6 * np.ptp(steep[:, 0]))
    assert np.ptp(flat[:, 0]) == pytest.approx(0.0, abs=1e-6 * np.ptp(flat[:, 1]))
    assert np.ptp(flat[:, 1]) > np.ptp(steep[:, 0])


def test_of_dependent_columns_the_flattest_direction_is_as_long_as_it_is() -> None:
    x = np.array([1.0, 2.0, 4.0, 7.0, 8.0])
    diagnosis = thalweg.explain((np.column_stack([x, 2.0 * x]), [3.0, 1.0, 4.0, 1.0, 5.0]))
    with pytest.warns(thalweg.errors.ThalwegWarning):
        figure = directions_figure(diagnosis)
    spectrum = diagnosis.curvature
    for trace, place in zip(figure.data[-2:], (0, spectrum.rank - 1), strict=True):
        ends = np.column_stack([trace.x, trace.y])
        length = 2.0 * np.sqrt(2.0 * diagnosis.landscape.variance / spectrum.values[place])
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(length, rel=DRAWING)


def test_the_distances_are_what_they_do_to_the_predictions(run: thalweg.Run) -> None:
    figure = distances_figure(thalweg.explain(run))
    data, exact = thalweg.salammbo(), run.summary.solve()
    off = np.zeros(len(run.path))
    for trace in figure.data[:-1]:
        assert len(trace.y) == len(run.path)
        off += np.asarray(trace.y) ** 2
    # Directions of curvature are orthogonal in the predictions: their squares add up.
    change = (run.path - exact.parameters) @ np.column_stack([np.ones(15), data.X]).T
    np.testing.assert_allclose(off, (change**2).mean(axis=1), rtol=1e-6)
    assert figure.data[-1].y[0] == pytest.approx(np.sqrt(0.01 * exact.loss))
    assert figure.layout.yaxis.title.text == "predictions off by (A)"


def test_of_many_directions_the_ends_and_the_worst_are_drawn(wide: thalweg.Run) -> None:
    diagnosis = thalweg.explain(wide)
    seen = diagnosis.classification
    assert seen is not None
    figure = distances_figure(diagnosis)
    assert len(figure.data) == 7
    last = np.array([trace.y[-1] for trace in figure.data[:-1]])
    worst = np.sqrt(seen.excess[-1].max())
    assert last.max() == pytest.approx(worst, rel=DRAWING)


def test_a_diverged_run_is_drawn_as_far_as_it_is_finite() -> None:
    run = thalweg.fit(thalweg.salammbo(), optimizer="sgd", lr=1.0)
    diagnosis = thalweg.explain(run)
    assert np.isfinite(np.asarray(distances_figure(diagnosis).data[0].y)).any()
    assert directions_figure(diagnosis).data[-1].name == "flattest direction"


def test_data_alone_have_no_distances() -> None:
    with pytest.raises(InvalidData) as error:
        distances_figure(thalweg.explain(thalweg.salammbo()))
    assert str(error.value) == (
        "diagnosis: got one of data alone, expected one of a run, whose distances there are; "
        "pass thalweg.explain(run)"
    )


def test_one_direction_makes_no_plane() -> None:
    with pytest.raises(InvalidData) as error:
        directions_figure(thalweg.explain(([[2.0], [3.0]], [1.0, 5.0]), intercept=False))
    assert str(error.value) == (
        "diagnosis: got data that determine 1 direction, expected two at least; there is no plane "
        "to draw; the text of the diagnosis says all there is"
    )
