"""What one page works on: its rows, the runs it asked for, the plane it looks at.

Each connection has a state of its own and shares nothing that can change with another. The
mathematics is the library's; here its results are put into frames. Not here: what a request may
say (:mod:`thalweg.lab.messages`), threads and sockets (:mod:`thalweg.lab.pages`).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property, partial
from threading import Lock
from typing import Any

import numpy as np

import thalweg
from thalweg.arrays import Array
from thalweg.batches import batches_of
from thalweg.conditioning.rates import stable_rate
from thalweg.data.dataset import Dataset
from thalweg.data.names import parameter_names
from thalweg.diagnosis.landscape import Landscape
from thalweg.errors import InvalidData, InvalidSetting
from thalweg.figures.downsample import downsample, sample
from thalweg.figures.labels import Units
from thalweg.lab.as_python import as_python, asked_of
from thalweg.lab.controls import learning_rate_span
from thalweg.lab.messages import COLUMNS, Frame, Keywords, Source, View
from thalweg.loss_surface.surface import Surface, surface
from thalweg.losses import MSE, NAMES, mean_loss
from thalweg.runs.run import Run
from thalweg.summary.scaling import Scaling, scaling_of

WORK = 3e8
"""The most multiplications of one fit: about half a second. Beyond it a page would only wait."""
HEAVY = 3e6
"""Beyond it a fit queues with the other heavy ones, so that light ones stay quick."""

_KEPT_RUNS = 16
_MOVING_POINTS = 300  # of a path while the hand moves
_RESTING_POINTS = 600
_SCATTER_ROWS = 2_000
_PREDICTED_ROWS = 400
_NEAR = 0.01
"""An axis that is a smaller share of its coordinates than this has ticks that nobody can read."""
_EDITABLE_NUMBERS = 4_000  # rows that a page gets whole, to edit and to put into its address


class LabData:
    """Some rows, and all that is worked out of them once.

    Parameters
    ----------
    rows : Dataset
    source : Source
        Where they come from, for the page's Python.
    notes : sequence of str
        What there is to know about how they were read.
    """

    def __init__(self, rows: Dataset, source: Source, notes: Sequence[str] = ()) -> None:
        if len(rows.features) > COLUMNS:
            raise InvalidData(
                "features",
                got=f"{len(rows.features)} columns",
                expected=f"at most {COLUMNS}",
                advice="choose fewer",
            )
        self.rows = rows
        self.source = source
        self.notes = tuple(notes)

    @cached_property
    def landscape(self) -> Landscape:
        """Exact solution and curvature, in the user's units."""
        return Landscape.of(self.rows, intercept=True)

    @cached_property
    def scaling(self) -> Scaling:
        """How the standardised features come from the rows'."""
        return scaling_of(self.rows.summary, intercept=True)

    def describe(self) -> dict[str, Any]:
        """Say what a page needs to know of the rows."""
        rows, (means, scales) = self.rows, self.scaling
        d = rows.X.shape[1]
        shown = sample(len(rows), _SCATTER_ROWS if d == 1 else _PREDICTED_ROWS)
        whole = rows.X.size + rows.y.size <= _EDITABLE_NUMBERS
        if whole:
            shown = np.arange(len(rows))
        units = Units(rows.features, rows.target, rows)
        names = parameter_names(rows.features)
        return {
            "name": rows.name,
            "source": self.source.kind,
            "notes": self.notes,
            "n": len(rows),
            "features": rows.features,
            "target": rows.target,
            "units": rows.units,
            "labels": {
                "features": [rows.label(feature) for feature in rows.features],
                "target": rows.label(rows.target),
                "parameters": [units.parameter(name) for name in names],
                "losses": {kind: units.loss(kind) for kind in NAMES},
            },
            "parameters": names,
            "whole": whole,
            "X": rows.X[shown],
            "y": rows.y[shown],
            "x_range": [rows.X.min(axis=0), rows.X.max(axis=0)],
            "y_range": [rows.y.min(), rows.y.max()],
            "means": means,
            "scales": scales,
            "exact": {
                "parameters": self.landscape.solution,
                "standardized": self.scaling.from_user(self.landscape.solution, intercept=True),
                "loss": self.landscape.exact_loss,
                "unique": self.landscape.curvature.rank == len(names),
            },
            "condition": self.landscape.curvature.condition_number,
        }


class PageState:
    """One page's rows, runs and plane.

    Parameters
    ----------
    data : LabData
        What the page starts with.
    """

    def __init__(self, data: LabData) -> None:
        self.data = data
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._lock = Lock()  # an explanation may be under way while the hand moves
        self._plane: Surface | None = None

    def use(self, data: LabData) -> None:
        """Work on other rows from now on; runs and plane of the old ones are forgotten."""
        with self._lock:
            self.data = data
            self._runs.clear()
            self._plane = None

    def work(self, settings: Keywords) -> float:
        """Estimate the multiplications of a fit, and refuse one that a page would wait for."""
        n, d = self.data.rows.X.shape
        asked = asked_of(settings)
        epochs, batches = asked.epochs, batches_of(asked, n)
        work: float = epochs * (n * (d + 1.0) + 20.0 * batches.steps_per_epoch(n))
        if batches.sees_all(n) and isinstance(asked.loss_function, MSE):
            work = epochs * (d + 1.0) ** 2
        if work > WORK:
            raise InvalidSetting(
                "epochs",
                got=f"{epochs:,} over {n:,} rows",
                expected=f"at most {max(1, int(epochs * WORK / work)):,} with these settings",
                advice="lower it, or let each step see all the rows",
            )
        return work

    def run(self, settings: Keywords) -> Run:
        """Fit, or remember the fit."""
        key = json.dumps(settings, sort_keys=True)
        with self._lock:
            data, known = self.data, self._runs.get(key)
            if known is not None:
                self._runs.move_to_end(key)
                return known
        self.work(settings)
        run = thalweg.fit(data.rows, **settings)
        with self._lock:
            if self.data is data:
                self._runs[key] = run
                while len(self._runs) > _KEPT_RUNS:
                    self._runs.popitem(last=False)
        return run

    def move(self, request_id: int, settings: Keywords, *, describe: bool = False) -> bytes:
        """Give one run on the plane that was shown last: what a page draws while the hand moves."""
        run = self.run(settings)
        if self._plane is None:
            self._plane = _plane(self.data, [run], View())
        frame = Frame()
        header = {
            "id": request_id,
            "type": "move",
            "runs": [self._put_run(frame, run, self._plane, _MOVING_POINTS)],
            "ranges": _ranges(self._plane),
        }
        if describe:
            header["data"] = self.data.describe()
        return frame.encode(header)

    def show(
        self, request_id: int, runs: tuple[Keywords, ...], view: View, *, describe: bool = False
    ) -> bytes:
        """Give runs on a plane that suits them: what a page draws when the hand rests."""
        made = [self.run(settings) for settings in runs]
        self._plane = plane = _plane(self.data, made, view)
        frame = Frame()
        drawn = [self._put_run(frame, run, plane, _RESTING_POINTS) for run in made]
        stable = self._stable_rate(made[0])
        header = {
            "id": request_id,
            "type": "show",
            "runs": drawn,
            "plane": _put_plane(frame, plane, self.data.rows),
            "stable_rate": stable,
            "lr_span": learning_rate_span(stable),
            "python": as_python(self.data.source, self.data.rows, runs[0]),
        }
        if describe:
            header["data"] = self.data.describe()
        return frame.encode(header)

    def _stable_rate(self, run: Run) -> float | None:
        settings = run.asked
        if settings.loss != "mse" or not self._sees_all(run):
            return None
        landscape = self.data.landscape.seen(standardize=settings.standardize)
        return stable_rate(landscape.curvature, settings.rule)  # a page names no other

    def _put_run(self, frame: Frame, run: Run, plane: Surface, limit: int) -> dict[str, Any]:
        """Add what a page draws of a run: the path on the plane, its heights, the losses."""
        path, landscape = run.path, self.data.landscape
        with np.errstate(over="ignore", invalid="ignore"):
            flat = _share(plane, plane.project(path))
            loss = landscape.loss(path)
            height = np.log10(np.maximum(loss, plane.floor))
            standardized = self.data.scaling.from_user(path, intercept=True)
            away = (path[-1] - landscape.solution) @ landscape.triangle[:, :-1].T
            distance = float(np.linalg.norm(away)) / np.sqrt(len(self.data.rows))
            loss_at, losses = self._course(run, float(loss[-1]))
            drawn = np.column_stack([losses, np.log10(np.abs(losses) + 1e-300)])
        seen = downsample(np.column_stack([flat, height]), limit)
        heard = downsample(drawn, limit)
        return {
            "epochs_walked": run.epochs,
            "parameters": path[-1],
            "loss": loss[-1],
            "distance": distance,
            "outcome": run.outcome.name.lower(),
            "advice": run.outcome.value,
            "start": path[0],
            "held": plane.held(path),
            "at": frame.put(run.recorded_epochs[seen]),
            "flat": frame.put(flat[seen]),
            "height": frame.put(height[seen]),
            "standardized": frame.put(standardized[seen]),
            "loss_at": frame.put(loss_at[heard]),
            "losses": frame.put(losses[heard]),
        }

    def _sees_all(self, run: Run) -> bool:
        n = len(self.data.rows)
        return batches_of(run.asked, n).sees_all(n)

    def _course(self, run: Run, squared: float) -> tuple[Array, Array]:
        """Give the loss after each epoch, and the epochs: those of the charts beside it.

        What a step over all rows recorded is the loss that it found: that after the epoch before.
        Of batches there is only the mean of what the epoch's steps found.
        """
        if not (self._sees_all(run) and run.epochs):
            return np.arange(1.0, run.epochs + 1.0), run.loss
        loss, last, rows = run.asked.loss_function, squared, self.data.rows
        if not isinstance(loss, MSE):
            last = mean_loss(loss, run.predict(rows.X) - rows.y)
        return np.arange(run.epochs + 1.0), np.append(run.loss, last)


def _share(plane: Surface, coordinates: Array) -> Array:
    """Turn coordinates on the plane into shares of its axes, from 0 to 1."""
    low = np.array([axis[0] for axis in plane.axes])
    high = np.array([axis[-1] for axis in plane.axes])
    shares: Array = (coordinates - low) / (high - low)
    return shares


def _plane(data: LabData, runs: list[Run], view: View) -> Surface:
    """Choose the plane: both parameters where there are two, else as the page says."""
    two = data.rows.X.shape[1] == 1
    draw = partial(
        surface,
        data.rows,
        points=80,
        path=[run.path for run in runs],
        ranges=view.ranges,
    )
    plane = draw(along=None if two else view.along)  # type: ignore[arg-type]  # checked there
    # The main directions of a path that went far away are measured from far away, in coordinates
    # of which only the last digits differ; those of the curvature are measured from the solution.
    if (
        not two
        and view.along is None
        and any(np.ptp(axis) <= _NEAR * np.abs(axis).max() for axis in plane.axes)
    ):
        return draw(along="curvature")
    return plane


def _ranges(plane: Surface) -> list[list[float]]:
    return [[float(axis[0]), float(axis[-1])] for axis in plane.axes]


def _put_plane(frame: Frame, plane: Surface, rows: Dataset) -> dict[str, Any]:
    units = Units(rows.features, rows.target, rows)
    labels = [units.parameter(name) if name in plane.names else name for name in plane.along]
    return {
        "along": plane.along,
        "labels": labels,
        "named": plane.along[0] in plane.names,
        "ranges": _ranges(plane),
        "origin": plane.origin,
        "directions": plane.directions,
        "offset": plane.offset,
        "points": len(plane.axes[0]),
        "grid": frame.put(plane.log10_loss),
        "exact": _share(plane, plane.project(plane.solution)),
        "exact_height": float(np.log10(max(float(plane.loss_at(plane.solution)), plane.floor))),
    }
