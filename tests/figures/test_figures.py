"""Figures: what they say, what they show and when, against the runs and the loss itself."""

import html
import json
import re
import sys
import tracemalloc
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io
import pytest

import thalweg
from hostile_names import NAMES
from thalweg import Dataset, Run, figures
from thalweg.arrays import Array
from thalweg.errors import InvalidData, InvalidSetting
from thalweg.figures import still
from thalweg.figures.animation import FRAMES, frame_epochs
from thalweg.figures.downsample import compact, downsample, sample
from thalweg.figures.labels import Units, as_text, name_runs
from thalweg.figures.theme import COLORS, DASHES, SYMBOLS, style

DRAWING = 1e-6  # relative: coordinates are stored in single precision


def luminance(color: str) -> float:
    """Give WCAG's relative luminance of a colour #rrggbb."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def trace(figure: go.Figure, name: str, index: int = 0) -> Any:
    return [t for t in figure.data if t.name == name][index]


def legend(figure: go.Figure) -> list[str]:
    return [t.name for t in figure.data if t.showlegend is not False]


def values(coordinates: Any) -> Array:
    return np.asarray(coordinates, dtype=np.float64)


@pytest.fixture(scope="module")
def chapters() -> Dataset:
    return thalweg.salammbo()


@pytest.fixture(scope="module")
def batch(chapters: Dataset) -> Run:
    return thalweg.fit(chapters, seed=4321, engine="compiled")


@pytest.fixture(scope="module")
def stochastic(chapters: Dataset) -> Run:
    return thalweg.fit(chapters, seed=1, batch_size=1, epochs=20, engine="compiled")


@pytest.fixture(scope="module")
def flats() -> Dataset:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 3)) * [1, 5, 0.5] + [1, 0, 3]
    return Dataset(
        X,
        X @ [3, -1, 2] + 7 + rng.normal(size=500),
        features=["rooms", "age", "floor"],
        target="price",
        units={"price": "k€", "age": "years"},
        name="Flats",
    )


@pytest.fixture(scope="module")
def flat_run(flats: Dataset) -> Run:
    return thalweg.fit(flats, optimizer="sgd", lr=0.01, epochs=150, start=[0.0] * 4)


# --- Titles, names, axes -------------------------------------------------------------------------


def test_the_data(chapters: Dataset) -> None:
    figure = figures.data_figure(chapters)
    assert figure.layout.title.text == "A against characters"
    assert figure.layout.title.subtitle.text == "Salammbô, 15 rows"
    assert figure.layout.xaxis.title.text == "characters (count per chapter)"
    assert figure.layout.yaxis.title.text == "A (count per chapter)"
    assert [t.name for t in figure.data] == ["data"]
    np.testing.assert_allclose(values(figure.data[0].x), chapters.X[:, 0], rtol=DRAWING)
    np.testing.assert_allclose(values(figure.data[0].y), chapters.y, rtol=DRAWING)


def test_another_feature(flats: Dataset) -> None:
    figure = figures.data_figure(flats, feature="age")
    assert figure.layout.xaxis.title.text == "age (years)"
    np.testing.assert_allclose(values(figure.data[0].x), flats.X[:, 1], rtol=DRAWING)
    with pytest.raises(InvalidSetting) as refused:
        figures.data_figure(flats, feature="agee")
    assert str(refused.value) == (
        "feature: got 'agee', expected one of 'rooms', 'age', 'floor'; did you mean 'age'?"
    )


def test_many_rows_are_sampled_and_it_says_so() -> None:
    n = 50_000
    figure = figures.data_figure(Dataset(np.arange(n), np.arange(n) + 1.0))
    assert figure.layout.title.subtitle.text == "20,000 of 50,000 rows"
    assert len(figure.data[0].x) == 20_000
    assert (figure.data[0].x[0], figure.data[0].x[-1]) == (0, n - 1)


def test_the_path(batch: Run) -> None:
    figure = figures.path_figure({"batch": batch})
    assert figure.layout.title.text == "Path of bias and weight"
    assert figure.layout.xaxis.title.text == "bias (A)"
    assert figure.layout.yaxis.title.text == "weight (A per characters)"
    assert legend(figure) == ["batch", "exact solution"]
    line = trace(figure, "batch", 1)
    np.testing.assert_allclose(values([line.x, line.y]).T, batch.path, rtol=DRAWING)
    exact = thalweg.solve(thalweg.salammbo())
    star = trace(figure, "exact solution")
    assert (star.x[0], star.y[0]) == pytest.approx((exact.bias, exact.weights[0]))


def test_the_path_says_epoch_parameters_and_loss(batch: Run) -> None:
    line = trace(figures.path_figure({"batch": batch}), "batch", 1)
    for word in ("epoch %{customdata[0]", "bias %{x", "weight %{y", "loss %{customdata[1]"):
        assert word in line.hovertemplate
    expected = [batch.summary.loss(point) for point in batch.path]
    np.testing.assert_allclose(values(line.customdata)[:, 0], np.arange(251))
    np.testing.assert_allclose(values(line.customdata)[:, 1], expected, rtol=DRAWING)


def test_two_other_parameters(flat_run: Run) -> None:
    figure = figures.path_figure(flat_run, axes=("age", "rooms"))
    assert figure.layout.xaxis.title.text == "weight of age (k€ per years)"
    assert figure.layout.yaxis.title.text == "weight of rooms (k€ per rooms)"
    line = trace(figure, "sgd, lr 0.01", 1)
    np.testing.assert_allclose(values([line.x, line.y]).T, flat_run.path[:, [2, 1]], rtol=1e-5)


def test_the_loss(batch: Run, stochastic: Run) -> None:
    figure = figures.loss_figure({"batch": batch, "stochastic": stochastic})
    assert figure.layout.title.text == "Loss by epoch"
    assert figure.layout.xaxis.title.text == "epoch"
    assert figure.layout.yaxis.title.text == "mean squared error (A²)"
    assert figure.layout.yaxis.type == "log"
    assert legend(figure) == ["batch", "stochastic", "exact solution"]
    for name, run in (("batch", batch), ("stochastic", stochastic)):
        np.testing.assert_array_equal(trace(figure, name).x, np.arange(1, run.epochs + 1))
        np.testing.assert_array_equal(trace(figure, name).y, run.loss)
    floor = thalweg.solve(thalweg.salammbo()).loss
    assert tuple(trace(figure, "exact solution").y) == pytest.approx((floor, floor))


def test_a_loss_that_hardly_moves_is_on_a_linear_axis(chapters: Dataset) -> None:
    solution = thalweg.solve(chapters).parameters
    run = thalweg.fit(chapters, start=solution * 1.0001, optimizer="sgd", lr=1e-10, epochs=5)
    assert figures.loss_figure(run).layout.yaxis.type != "log"


def test_other_losses_have_their_own_name_and_no_floor(chapters: Dataset) -> None:
    run = thalweg.fit(chapters, loss="l1", epochs=5)
    figure = figures.loss_figure(run)
    assert figure.layout.yaxis.title.text == "mean absolute error (A)"
    assert legend(figure) == ["nadam, lr 0.01"]


def test_an_exact_fit_has_no_floor_on_a_log_axis() -> None:
    run = thalweg.fit(([[1.0], [2.0], [4.0]], [3.0, 5.0, 9.0]), epochs=300, lr=0.1)
    assert legend(figures.loss_figure(run)) == ["nadam, lr 0.1"]


def test_the_surface(chapters: Dataset, batch: Run) -> None:
    plane = thalweg.surface(chapters, path=batch)
    figure = figures.surface_figure(plane, {"batch": batch})
    scene = figure.layout.scene
    assert figure.layout.title.text == "Loss surface"
    assert scene.xaxis.title.text == "bias<br>(A)"
    assert scene.yaxis.title.text == "weight<br>(A per characters)"
    assert scene.zaxis.title.text == "mean squared error<br>(A²)"
    assert [t.name for t in figure.data if t.showlegend] == ["batch", "exact solution"]
    np.testing.assert_allclose(values(figure.data[0].z), plane.log10_loss, rtol=DRAWING)
    line = trace(figure, "batch")
    # On the surface: the height is the loss at the very parameters, not the epoch's before them.
    expected = np.log10([chapters.summary.loss(point) for point in batch.path])
    np.testing.assert_allclose(values(line.z), expected, rtol=DRAWING)
    np.testing.assert_allclose(values([line.x, line.y]).T, batch.path, rtol=DRAWING)


def test_the_surface_leaves_out_what_lies_beyond_its_edges(chapters: Dataset, batch: Run) -> None:
    plane = thalweg.surface(chapters, bias=(-1000, 1000), weight=(0, 0.15))
    figure = figures.surface_figure(plane, {"batch": batch})
    beyond = (batch.path[:, 1] < 0) | (batch.path[:, 1] > 0.15)
    assert 0 < beyond.sum() < 251
    np.testing.assert_array_equal(np.isnan(values(trace(figure, "batch").z)), beyond)
    assert figure.layout.title.subtitle.text == (
        f"{beyond.sum()} points of paths lie beyond its edges"
    )
    assert tuple(figure.layout.scene.yaxis.range) == (0, 0.15)


def test_the_map(chapters: Dataset, batch: Run, stochastic: Run) -> None:
    plane = thalweg.surface(chapters, path=[batch, stochastic])
    figure = figures.contour_figure(plane, {"batch": batch, "stochastic": stochastic})
    assert figure.layout.title.text == "Map of the loss"
    assert figure.layout.xaxis.title.text == "bias (A)"
    assert figure.layout.yaxis.title.text == "weight (A per characters)"
    assert figure.data[0].colorbar.title.text == "mean squared error (A²)"
    assert legend(figure)[1:] == ["batch", "stochastic", "exact solution"]
    np.testing.assert_allclose(values(figure.data[0].z), plane.log10_loss, rtol=DRAWING)
    line = trace(figure, "stochastic", 1)
    np.testing.assert_allclose(values([line.x, line.y]).T, stochastic.path, rtol=DRAWING)


def test_data_alone_make_their_own_plane(chapters: Dataset, batch: Run) -> None:
    figure = figures.contour_figure(chapters, {"batch": batch})
    low, high = figure.layout.yaxis.range
    assert low < batch.path[:, 1].min() < batch.path[:, 1].max() < high
    low, high = figure.layout.xaxis.range
    assert low < thalweg.solve(chapters).bias < high


def test_a_surface_without_paths(chapters: Dataset) -> None:
    figure = figures.surface_figure(chapters)
    assert [t.type for t in figure.data] == ["surface", "scatter3d"]
    assert not figure.frames
    assert not figure.layout.sliders


def test_off_the_plane_both_losses_are_shown(flats: Dataset, flat_run: Run) -> None:
    plane = thalweg.surface(flats, along=("rooms", "age"), path=flat_run)
    share = plane.held(flat_run.path)
    assert 0.5 < share < 0.999
    name = f"sgd, {100 * share:.1f} % in the plane"
    figure = figures.surface_figure(plane, {"sgd": flat_run})
    below = "sgd: loss on the plane"
    assert [t.name for t in figure.data if t.showlegend] == [name, below, "exact solution"]
    true = [flats.summary.loss(point) for point in flat_run.path]
    foot = flat_run.path.copy()
    foot[:, [0, 3]] = thalweg.solve(flats).parameters[[0, 3]]
    on_plane = [flats.summary.loss(point) for point in foot]
    np.testing.assert_allclose(values(trace(figure, name).z), np.log10(true), atol=1e-6)
    np.testing.assert_allclose(values(trace(figure, below).z), np.log10(on_plane), atol=1e-6)
    assert trace(figure, below).line.dash == "dot"
    line = trace(figures.contour_figure(plane, {"sgd": flat_run}), name, 1)
    np.testing.assert_allclose(
        values(line.customdata), np.column_stack([np.arange(151), true, on_plane]), rtol=1e-5
    )
    assert "on the plane below %{customdata[2]" in line.hovertemplate


def test_hover_data_match_their_templates(flats: Dataset, flat_run: Run) -> None:
    plane = thalweg.surface(flats, along="curvature", path=flat_run)
    for draw in (figures.surface_figure, figures.contour_figure):
        for line in draw(plane, flat_run).data:
            for column in range(3):
                if line.hovertemplate and f"customdata[{column}]" in line.hovertemplate:
                    assert np.asarray(line.customdata).shape[1] > column


def test_directions_say_what_they_mostly_change(flats: Dataset, flat_run: Run) -> None:
    figure = figures.contour_figure(thalweg.surface(flats, along="curvature"), flat_run)
    assert figure.layout.xaxis.title.text == "steepest direction: mostly age"
    assert figure.layout.yaxis.title.text == "flattest direction: mostly bias"


def test_the_fitted_line(chapters: Dataset, batch: Run, stochastic: Run) -> None:
    figure = figures.fit_figure(chapters, {"batch": batch, "stochastic": stochastic})
    assert figure.layout.title.text == "The fitted line"
    assert [t.name for t in figure.data] == ["data", "exact solution", "batch", "stochastic"]
    assert figure.layout.xaxis.title.text == "characters (count per chapter)"
    assert figure.layout.yaxis.title.text == "A (count per chapter)"
    ends = [[chapters.X.min()], [chapters.X.max()]]
    np.testing.assert_allclose(values(trace(figure, "batch").y), batch.predict(ends), rtol=DRAWING)


def test_predicted_against_actual(flats: Dataset, flat_run: Run) -> None:
    figure = figures.fit_figure(flats, {"sgd": flat_run})
    assert figure.layout.title.text == "Predicted against actual"
    assert figure.layout.title.subtitle.text == "Flats, 400 of 500 rows"
    assert figure.layout.xaxis.title.text == "price (k€)"
    assert figure.layout.yaxis.title.text == "predicted price (k€)"
    assert [t.name for t in figure.data] == ["predicted = actual", "sgd"]
    rows = sample(500, 400)
    dots = trace(figure, "sgd")
    np.testing.assert_allclose(values(dots.x), flats.y[rows], rtol=1e-5)
    np.testing.assert_allclose(values(dots.y), flat_run.predict(flats.X[rows]), rtol=1e-5)


def test_without_an_intercept(flats: Dataset) -> None:
    run = thalweg.fit(flats, intercept=False, lr=0.1, epochs=30)
    line = trace(figures.fit_figure(flats, {"run": run}), "run")
    np.testing.assert_allclose(values(line.y), run.predict(flats.X[sample(500, 400)]), rtol=1e-5)
    assert figures.path_figure(run).layout.xaxis.title.text == "weight of rooms (k€ per rooms)"
    assert figures.contour_figure(flats, run).data[0].z.shape == (100, 100)


# --- Playing -------------------------------------------------------------------------------------


def playable(chapters: Dataset, runs: dict[str, Run]) -> list[go.Figure]:
    return [
        figures.path_figure(runs),
        figures.surface_figure(chapters, runs),
        figures.contour_figure(chapters, runs),
        figures.fit_figure(chapters, runs),
    ]


def test_frames_and_slider_go_by_epochs(chapters: Dataset, batch: Run, stochastic: Run) -> None:
    for figure in playable(chapters, {"batch": batch, "stochastic": stochastic}):
        names = [frame.name for frame in figure.frames]
        assert names == [str(5 * i) for i in range(51)]
        slider, (menu,) = figure.layout.sliders[0], figure.layout.updatemenus
        assert [step.label for step in slider.steps] == names
        assert [step.args[0][0] for step in slider.steps] == names
        assert slider.active == 50
        assert slider.currentvalue.prefix == "epoch "
        assert [button.label for button in menu.buttons] == ["Play", "Pause"]
        # Without a redraw Plotly drops a contour chart's filling.
        assert menu.buttons[0].args[1]["frame"]["redraw"] is True


def test_a_frame_holds_what_was_walked_by_then(
    chapters: Dataset, batch: Run, stochastic: Run
) -> None:
    path, surface, contour, fit = playable(chapters, {"batch": batch, "stochastic": stochastic})
    for figure in (path, surface, contour):
        frame = figure.frames[6]  # after epoch 30
        moved = dict(zip(frame.traces, frame.data, strict=True))
        names = [figure.data[i].name for i in frame.traces]
        assert names == ["batch", "batch", "stochastic", "stochastic"]
        line, head, short, short_head = moved.values()
        np.testing.assert_allclose(values([line.x, line.y]).T, batch.path[:31], rtol=DRAWING)
        np.testing.assert_allclose(values([head.x, head.y]).T, batch.path[30:31], rtol=DRAWING)
        assert len(short.x) == 21  # walked to its end before the other
        np.testing.assert_allclose(values(short_head.x), stochastic.path[-1:, 0], rtol=DRAWING)
    line, short = fit.frames[6].data
    ends = np.array([chapters.X.min(), chapters.X.max()])
    np.testing.assert_allclose(
        values(line.y), batch.path[30, 0] + batch.path[30, 1] * ends, rtol=DRAWING
    )


def test_the_last_frame_is_the_still_figure(chapters: Dataset, batch: Run) -> None:
    for figure in playable(chapters, {"batch": batch}):
        frame = figure.frames[-1]
        for index, moved in zip(frame.traces, frame.data, strict=True):
            np.testing.assert_array_equal(moved.y, figure.data[index].y)


@pytest.mark.parametrize(
    ("last", "shown"),
    [(1, 2), (20, 21), (100, 101), (101, 51), (250, 51), (1000, 101), (12345, 63)],
)
def test_the_frames_are_even_round_and_few(last: int, shown: int) -> None:
    epochs = frame_epochs([np.arange(last + 1.0)])
    assert len(epochs) == shown <= FRAMES
    assert (epochs[0], epochs[-1]) == (0, last)
    assert len(set(np.diff(epochs)[:-1])) <= 1
    assert (epochs == epochs.round()).all()


def test_the_frames_of_a_run_recorded_at_every_step() -> None:
    epochs = frame_epochs([np.arange(0, 2.0005, 0.001)])
    assert len(epochs) <= FRAMES
    np.testing.assert_allclose(epochs[:3], [0, 0.02, 0.04])


def test_figures_stay_small(chapters: Dataset, batch: Run) -> None:
    for figure in playable(chapters, {"batch": batch}):
        assert len(figure.to_json()) < 250_000


def test_a_diverged_run_can_be_drawn(chapters: Dataset) -> None:
    run = thalweg.fit(chapters, optimizer="sgd", lr=1e-8, start=[0.0, 0.0])
    assert run.outcome is thalweg.Outcome.DIVERGED
    for figure in [*playable(chapters, {"sgd": run}), figures.loss_figure(run)]:
        json.loads(figure.to_json())
    low, high = figures.contour_figure(chapters, run).layout.yaxis.range
    assert high - low < 10


# --- Looks ---------------------------------------------------------------------------------------


def test_colours_stand_out_on_both_pages() -> None:
    for color in COLORS:
        assert contrast(color, "#ffffff") >= 2.75
        assert contrast(color, "#14181d") >= 2.75


def test_no_two_of_thirty_runs_look_alike() -> None:
    styles = [style(index) for index in range(30)]
    assert len({(s.color, s.dash) for s in styles}) == 30
    assert len({(s.color, s.symbol) for s in styles}) == 30
    assert {s.dash for s in styles} == set(DASHES)
    assert {s.symbol for s in styles} == set(SYMBOLS)


def test_a_run_looks_the_same_on_every_figure(
    chapters: Dataset, batch: Run, stochastic: Run
) -> None:
    runs = {"batch": batch, "stochastic": stochastic}
    for figure in [*playable(chapters, runs), figures.loss_figure(runs)]:
        for index, name in enumerate(runs):
            seen = [t for t in figure.data if t.name == name and t.showlegend is not False]
            assert seen[0].line.color == style(index).color
            assert seen[0].line.dash == style(index).dash


def test_themes_are_plain_and_transparent() -> None:
    for name in ("light", "dark"):
        patch = json.loads(json.dumps(figures.theme(name)))
        assert patch["template"]["layout"]["paper_bgcolor"] == "rgba(0, 0, 0, 0)"
        go.Figure(layout=patch)  # Plotly knows every key
    light, dark = (figures.theme(n)["template"]["layout"]["font"] for n in ("light", "dark"))
    assert contrast(light["color"], "#ffffff") >= 7
    assert contrast(dark["color"], "#14181d") >= 7
    with pytest.raises(InvalidSetting) as refused:
        figures.theme("drak")
    assert str(refused.value) == (
        "theme: got 'drak', expected one of 'light', 'dark'; did you mean 'dark'?"
    )


def test_figures_take_a_theme(chapters: Dataset) -> None:
    dark = figures.theme("dark")["template"]["layout"]["font"]["color"]
    assert figures.data_figure(chapters, theme="dark").layout.template.layout.font.color == dark


def test_no_figure_needs_tex(chapters: Dataset, batch: Run) -> None:
    for figure in [*playable(chapters, {"batch": batch}), figures.data_figure(chapters)]:
        assert "$" not in json.dumps(json.loads(figure.to_json())["layout"])


# --- Names and units -----------------------------------------------------------------------------


def test_runs_without_names_are_told_apart(chapters: Dataset, batch: Run) -> None:
    small = thalweg.fit(chapters, batch_size=4, epochs=5)
    assert list(name_runs([batch, small])) == [
        "nadam, lr 0.01, all rows, epochs 250",
        "nadam, lr 0.01, batch 4, epochs 5",
    ]
    assert list(name_runs([batch, batch])) == ["nadam, lr 0.01 (1)", "nadam, lr 0.01 (2)"]
    assert list(name_runs(batch)) == ["nadam, lr 0.01"]


@pytest.mark.parametrize("nothing", [[], {}, None])
def test_no_run_is_refused(nothing: Any) -> None:
    with pytest.raises(InvalidData) as refused:
        figures.loss_figure(nothing)
    assert str(refused.value) == (
        "runs: got no run, expected at least one; pass what thalweg.fit returned"
    )


def test_units_of_parameters_and_losses(flats: Dataset) -> None:
    units = Units(flats.features, flats.target, flats)
    assert units.parameter("bias") == "bias (k€)"
    assert units.parameter("age") == "weight of age (k€ per years)"
    assert units.loss() == "mean squared error (k€²)"
    assert units.loss("l1") == "mean absolute error (k€)"
    spaced = Units(["x"], "house price", None)
    assert spaced.loss() == "mean squared error ((house price)²)"
    assert spaced.parameter("weight") == "weight (house price per x)"


# --- Thinning ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "limit"), [(10, 300), (300, 300), (301, 300), (100_000, 300)])
def test_downsampling_keeps_ends_and_extremes(k: int, limit: int) -> None:
    points = np.random.default_rng(k).normal(size=(k, 3)).cumsum(axis=0)
    chosen = downsample(points, limit)
    assert len(chosen) <= limit
    assert (np.diff(chosen) > 0).all()
    assert (chosen[0], chosen[-1]) == (0, k - 1)
    kept: Sequence[Any] = (points[chosen].min(axis=0), points[chosen].max(axis=0))
    np.testing.assert_array_equal(kept, (points.min(axis=0), points.max(axis=0)))


def test_downsampling_keeps_a_single_spike() -> None:
    curve = np.ones((1_000_000, 1))
    curve[654_321] = 7.0
    assert 654_321 in downsample(curve, 100)


def test_downsampling_passes_over_gaps() -> None:
    points = np.full((1000, 2), np.nan)
    points[500:] = np.arange(500.0)[:, None]
    chosen = downsample(points, 50)
    assert points[chosen][-1].tolist() == [499, 499]


def test_downsampling_needs_no_second_copy_of_a_long_path() -> None:
    points = np.random.default_rng(0).normal(size=(1_000_000, 2))
    tracemalloc.start()
    downsample(points, 300)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < points.nbytes / 4


def test_compact_only_where_nobody_sees_it() -> None:
    assert compact([0.0, 1.0]).dtype == np.float32
    assert compact(1e9 + np.arange(3.0)).dtype == np.float64
    assert compact([1e300, 0.0]).dtype == np.float64
    assert compact([np.nan]).dtype == np.float64


# --- Names are text -------------------------------------------------------------------------------

# Names that Plotly would take for more than text.
HOSTILE = [name for name in NAMES if re.search("[<>&{$]", name)]


def texts(part: Any) -> Iterator[str]:
    """Give every text that Plotly reads as HTML: titles, names and templates."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("text", "name", "hovertemplate") and isinstance(value, str):
                yield value
            else:
                yield from texts(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from texts(value)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_every_figure(name: str) -> None:
    """What is left of our own markup, once the name is put back, holds none of the name's."""
    rng = np.random.default_rng(0)
    data = thalweg.Dataset(
        rng.normal(size=(30, 2)), rng.normal(size=30), features=[name, "b"], target=f"t {name}"
    )
    one = thalweg.Dataset(data.X[:, :1], data.y, features=[name], target="t")
    run, sweep = thalweg.fit(data, epochs=3), thalweg.sweep(data, lr=[0.1, 0.2], epochs=3)
    drawn = [
        figures.data_figure(one),
        figures.fit_figure(one, {name: thalweg.fit(one, epochs=3)}),
        figures.path_figure({name: run}, axes=(name, "b")),
        figures.loss_figure({name: run}),
        figures.contour_figure(thalweg.surface(data, along=(name, "b")), {name: run}),
        figures.directions_figure(thalweg.explain(run)),
        figures.distances_figure(thalweg.explain(run)),
        figures.rates_figure(sweep),
    ]
    shown = 0
    for figure in drawn:
        for text in texts(figure.to_dict()):
            assert name not in text.replace(as_text(name), ""), text
            shown += as_text(name) in text
    assert html.unescape(as_text(name)) == name
    assert shown >= 10


def test_a_scene_shows_tags_as_they_are() -> None:
    """It knows tags, and no entities."""
    rng = np.random.default_rng(0)
    data = thalweg.Dataset(rng.normal(size=(9, 2)), rng.normal(size=9), features=["<b>", "&lt;"])
    scene = figures.surface_figure(thalweg.surface(data, along=("<b>", "&lt;"))).layout.scene
    assert scene.xaxis.title.text.startswith("weight of <\u200bb>")
    assert scene.yaxis.title.text.startswith("weight of &lt;")


def test_a_figure_stands_still_until_it_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = figures.contour_figure(thalweg.salammbo(), thalweg.fit(thalweg.salammbo(), epochs=9))
    assert figure.frames
    plays = "Plotly.animate("
    figure.write_html(tmp_path / "still.html", include_plotlyjs=False)
    pages = [
        (tmp_path / "still.html").read_text(encoding="utf-8"),
        figure.to_html(include_plotlyjs=False),
    ]
    assert all("Plotly.newPlot(" in page and plays not in page for page in pages)
    assert plays in figure.to_html(include_plotlyjs=False, auto_play=True)
    assert plays in go.Figure(figure).to_html(include_plotlyjs=False)
    asked: list[Any] = []
    monkeypatch.setattr(  # what a notebook shows, whose renderer needs one
        type(plotly.io.renderers), "_build_mime_bundle", lambda *_, **options: asked.append(options)
    )
    figure._repr_mimebundle_()
    assert asked == [{"auto_play": False}]


def test_a_notebook_keeps_a_page_of_its_own_for_where_nothing_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[dict[str, Any]] = []
    module = types.ModuleType("IPython.display")
    monkeypatch.setattr(module, "display", lambda bundle, raw: shown.append(bundle), raising=False)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(still.StillFigure, "_has_library", False)
    figure = figures.data_figure(thalweg.salammbo())
    before = plotly.io.renderers.default
    try:
        plotly.io.renderers.default = "plotly_mimetype"  # as Plotly chooses in a notebook
        figure._ipython_display_()
        figure.show()
    finally:
        plotly.io.renderers.default = before
    first, second = (bundle["text/html"] for bundle in shown)
    assert all("application/vnd.plotly.v1+json" in bundle for bundle in shown)
    assert all("Plotly.newPlot(" in page and "<html" not in page for page in (first, second))
    assert len(first) > 1_000_000 > len(second)  # the library comes once
    assert 'src="http' not in first
