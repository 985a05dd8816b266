"""The report: one or several runs as one self-contained HTML page.

What the lesson's page shows, for any run: settings, where it ended, why, and the figures. Not
here: computing any of it, the page's frame (:mod:`thalweg.pages.page`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from thalweg import figures
from thalweg.diagnosis.diagnosis import Diagnosis, explain, message
from thalweg.errors import InvalidData
from thalweg.loss_surface.surface import Surface, surface
from thalweg.numbers import number
from thalweg.pages.page import Drawn, render
from thalweg.runs.run import Outcome, Run

SECTIONS = (("runs", "The runs"), ("why", "Why they went that way"), ("figures", "The figures"))

THROUGH = (
    " It goes through the exact solution; the legend says how much of each path's movement lies "
    "in it."
)


@dataclass(frozen=True)
class _Report:
    """What the template is filled in with."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    names: tuple[str, ...]
    parameters: list[tuple[str, ...]]
    diagnoses: Mapping[str, Diagnosis]
    drawn: list[Drawn]


def report_page(runs: Run | Mapping[str, Run]) -> str:
    """Write a report on one or several runs as one self-contained HTML page.

    Parameters
    ----------
    runs : Run or mapping of str to Run
        Runs on the same columns, by the names that they bear on the page.

    Returns
    -------
    str
        The page.

    Raises
    ------
    InvalidData
        If there is no run, or the runs are not of the same columns.

    Examples
    --------
    >>> import thalweg
    >>> page = report_page(thalweg.fit(thalweg.salammbo(), epochs=20))
    >>> page.startswith("<!doctype html>")
    True
    """
    named = {runs.settings.optimizer: runs} if isinstance(runs, Run) else dict(runs)
    _check(named)
    first = next(iter(named.values()))
    diagnoses = {name: explain(run) for name, run in named.items()}
    solution = first.solution
    exact = solution.parameters
    filled = _Report(
        head=(
            "run",
            "engine",
            "lr",
            "batch size",
            "epochs",
            "mean squared error",
            "times the exact",
        ),
        rows=[_row(name, run, solution.loss) for name, run in named.items()],
        names=tuple(named),
        parameters=[
            (
                parameter,
                number(exact[j], 8),
                *(number(run.parameters[j] - exact[j], 4) for run in named.values()),
            )
            for j, parameter in enumerate(first.names)
        ],
        diagnoses=diagnoses,
        drawn=[*_draw(named), *_draw_directions(diagnoses)],
    )
    columns = ", ".join(first.features)
    return render(
        "report.html",
        sections=SECTIONS,
        title=f"{first.target} from {columns}",
        leads=[
            f"{message(run)}." if len(named) == 1 else f"{name}: {message(run)}."
            for name, run in named.items()
        ],
        report=filled,
    )


def _check(named: Mapping[str, Run]) -> None:
    if not named:
        raise InvalidData(
            "runs", got="none", expected="at least one run", advice="pass fit's result"
        )
    first = next(iter(named.values()))
    for name, run in named.items():
        if (run.names, run.target) != (first.names, first.target):
            raise InvalidData(
                "runs",
                got=f"{name!r} of {run.target!r} with parameters {run.names!r}",
                expected=f"runs of {first.target!r} with parameters {first.names!r}",
                advice="write a report for each",
            )


def _row(name: str, run: Run, exact: float) -> tuple[str, ...]:
    settings = run.asked
    loss = (
        run.summary.loss(run.parameters, intercept=settings.intercept)
        if np.isfinite(run.parameters).all()
        else np.inf
    )
    size = "written out" if settings.batch_sampler else settings.batch_size or "all rows"
    times = number(loss / exact, 5) if exact and np.isfinite(loss) else "–"
    return (
        name, settings.engine, number(settings.lr, 3), str(size), f"{run.epochs:,}",
        number(loss, 7), times,
    )  # fmt: skip


def _draw(named: Mapping[str, Run]) -> list[Drawn]:
    first = next(iter(named.values()))
    drawn = [Drawn("loss", figures.loss_figure(named), "The loss of each epoch.")]
    if len(first.names) > 1:  # a plane has two
        drawn += _draw_plane(named, _plane(named))
    if first.data is not None:
        drawn.insert(
            0,
            Drawn(
                "fit", figures.fit_figure(first.data, named), "The rows, and what each run fits."
            ),
        )
    return drawn


def _draw_plane(named: Mapping[str, Run], plane: Surface) -> list[Drawn]:
    seen = "The loss over a plane of the parameters, seen from above, and the path of each run."
    return [
        Drawn(
            "map",
            figures.contour_figure(plane, named),
            seen + (THROUGH if len(plane.names) > 2 else ""),
        ),
        Drawn("surface", figures.surface_figure(plane, named), "The same as a surface; turn it."),
    ]


def _plane(named: Mapping[str, Run]) -> Surface:
    """Choose the plane of the map: what diverged leaves it, and does not stretch it."""
    first = next(iter(named.values()))
    source = first.data if first.data is not None else first.summary
    intercept = first.settings.intercept
    stayed = [run for run in named.values() if run.outcome is not Outcome.DIVERGED]
    starts = [run.path[:1] for run in named.values()]
    if len(first.names) == 2:
        return surface(source, path=[*stayed, *starts], intercept=intercept)
    if not stayed:
        return surface(source, along="curvature", path=starts, intercept=intercept)
    solution = first.solution.parameters
    return surface(source, path=stayed, along="path", through=solution, intercept=intercept)


def _draw_directions(diagnoses: Mapping[str, Diagnosis]) -> list[Drawn]:
    """Draw what the explanations speak of: directions of curvature, distance along each."""
    drawn = []
    judged = {name: found for name, found in diagnoses.items() if found.classification is not None}
    for place, (name, diagnosis) in enumerate(judged.items()):
        drawn.append(
            Drawn(
                f"distances-{place}",
                figures.distances_figure(diagnosis),
                f"{name}: how far from the exact solution, along each direction of curvature.",
            )
        )
    name, first = next(iter(judged.items()), ("", None))
    if first is not None and first.curvature.rank > 1:  # less is no plane
        drawn.append(
            Drawn(
                "directions",
                figures.directions_figure(first),
                f"{name}: the steepest and the flattest direction through the exact solution.",
            )
        )
    return drawn
