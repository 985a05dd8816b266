"""Which plane of the parameters to look at: its two directions, and how far to look.

Not here: the loss on it (:mod:`thalweg.loss_surface`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from thalweg.arrays import Array
from thalweg.checks import check_choice
from thalweg.conditioning.curvature import curvature_of, signed
from thalweg.data.names import unique_names
from thalweg.errors import InvalidData, InvalidSetting, nearest

if TYPE_CHECKING:
    from thalweg.runs.run import Run
    from thalweg.summary.solution import Solution
    from thalweg.summary.summary import Summary

Interval: TypeAlias = tuple[float, float]
RunOrPath: TypeAlias = "Run | Array"
"""A descent's path: a run, or the bare parameters, shape (k, p)."""
Along: TypeAlias = tuple[str, str] | Literal["curvature", "path"]
"""Two parameters by name, or a pair of directions that the data or a path give."""

# What `thalweg.surface` calls by name already: a parameter called so has `_2` in its keyword.
KEYWORDS = ("data", "y", "target", "features", "categories", "points", "along", "through", "path",
            "ranges", "intercept")  # fmt: skip

_MARGIN = 0.1  # of the extent of what an axis shall contain, beyond a path's extremes
_ROOM = 0.3  # of the same, beyond the solution: a valley has two sides
_FAR = 100.0  # times the starting loss: what a diverging path does beyond it widens no axis


def name_ranges(
    given: Mapping[str, Interval],
    names: tuple[str, ...],
    features: tuple[str, ...],
    ranges: tuple[Interval, Interval] | None,
) -> dict[str, Interval]:
    """Take ranges by keyword, as :func:`keywords_of` names them.

    Parameters
    ----------
    given : mapping
        What the user named.
    names, features : tuple of str
        Of the parameters and of the columns.
    ranges : pair of pairs, optional
        The same for both axes at once: one or the other.

    Returns
    -------
    dict
        The ranges by the parameters' own names, in the order of a path's columns.
    """
    if ranges is not None and not _are_two(ranges):
        raise InvalidSetting(
            "ranges",
            got=repr(ranges),
            expected="a range for each of the two axes",
            advice="try ((-1, 1), (-1, 1))",
        )
    if not given:
        return {}
    keywords = keywords_of(names, features)
    unknown = [keyword for keyword in given if keyword not in keywords]
    if unknown:
        raise InvalidSetting(
            "surface",
            got=f"a range for {', '.join(map(repr, unknown))}",
            expected="the names of parameters",
            advice=nearest(unknown[0], keywords),
        )
    if ranges is not None:
        raise InvalidSetting(
            "ranges",
            got=f"both axes' ranges, and one for {', '.join(map(repr, given))} too",
            expected="one or the other",
            advice="leave out 'ranges', or the parameters by name",
        )
    own = {keywords[keyword]: limits for keyword, limits in given.items()}
    return {name: own[name] for name in names if name in own}


def keywords_of(names: tuple[str, ...], features: tuple[str, ...]) -> dict[str, str]:
    """Say by which keywords the parameters get their ranges: their names, where those are free.

    Examples
    --------
    >>> keywords_of(("bias", "points", "width"), ("points", "width"))
    {'bias': 'bias', 'points_2': 'points', 'width': 'width'}
    >>> keywords_of(("bias", "weight"), ("characters",))
    {'bias': 'bias', 'weight': 'weight', 'characters': 'weight'}
    """
    parameters = names
    if len(features) == 1 and features[0] != names[-1]:
        # The weight of a single feature also goes by the feature's name.
        names, parameters = (*names, features[0]), (*names, names[-1])
    keywords, taken = names, set(names)
    if len(taken) < len(names) or not taken.isdisjoint(KEYWORDS):
        keywords = unique_names((*KEYWORDS, *names))[len(KEYWORDS) :]
    return dict(zip(keywords, parameters, strict=True))


def choose_directions(
    along: object, named: Mapping[str, Interval], names: tuple[str, ...], *, has_path: bool
) -> Along:
    """Settle what the two axes are."""
    if len(names) < 2:
        raise InvalidSetting(
            "surface",
            got=f"a single parameter, {names[0]!r}",
            expected="at least two: a plane",
            advice="fit with an intercept",
        )
    if along is None:
        if len(named) == 2 or len(names) == 2:
            first, second = tuple(named) if len(named) == 2 else names
            return first, second
        if named:
            raise InvalidSetting(
                "surface",
                got="ranges for " + ", ".join(map(repr, named)),
                expected="ranges for two parameters",
                advice="or name the two in 'along'",
            )
        return "path" if has_path else "curvature"
    if isinstance(along, str):
        check_choice("along", along, ("curvature", "path"))
        if named:
            raise InvalidSetting(
                "surface",
                got=f"along={along!r} and a range for {next(iter(named))!r}",
                expected="'ranges': the axes are no single parameters",
                advice="give ranges=((low, high), (low, high)), or leave them out",
            )
        if along == "path" and not has_path:
            raise InvalidSetting(
                "along",
                got="'path' without a path",
                expected="the path whose directions are meant",
                advice="pass path=run",
            )
        return "path" if along == "path" else "curvature"
    return _two_names(along, named, names)


def _are_two(ranges: object) -> bool:
    if isinstance(ranges, np.ndarray):
        return ranges.ndim > 0 and len(ranges) == 2
    return isinstance(ranges, Sequence) and len(ranges) == 2


def _two_names(
    along: object, named: Mapping[str, Interval], names: tuple[str, ...]
) -> tuple[str, str]:
    pair = tuple(along) if isinstance(along, Sequence) else (along,)
    unknown = [name for name in pair if not (isinstance(name, str) and name in names)]
    if unknown or len(pair) != 2 or pair[0] == pair[1] or not set(named) <= set(pair):
        raise InvalidSetting(
            "along",
            got=repr(along) + (f" and ranges for {', '.join(named)}" if named else ""),
            expected="two different parameters, and ranges for no others",
            advice=nearest(str([*unknown, *pair, ""][0]), names),
        )
    return pair[0], pair[1]


def read_paths(path: RunOrPath | Sequence[RunOrPath] | None, p: int) -> list[Array]:
    """Read one path or several, each of shape (k, p), leaving out points that are not finite."""
    if path is None:
        return []
    if isinstance(path, Sequence) and not isinstance(path, str | bytes):
        return [_read_path(member, p) for member in path]
    return [_read_path(path, p)]


def _read_path(path: object, p: int) -> Array:
    try:
        points: Array = np.asarray(getattr(path, "path", path), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim == 2 and points.shape[1] == p:
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            return points
    raise InvalidData(
        "path",
        got=f"shape {points.shape}" if points.size else repr(path),
        expected=f"finite points, shape (k, {p}): a column for each parameter",
        advice="pass a run on the same data, or its path",
    )


def curvature_directions(summary: Summary, *, intercept: bool) -> Array:
    """Give the directions of the largest and the smallest curvature of the loss: (2, p).

    The smallest is that of the directions that the data determine; where they determine one
    alone, the second direction is one along which the loss does not change.
    """
    found = curvature_of(summary, intercept=intercept)
    return found.directions[[0, max(found.rank - 1, 1)]]


def main_directions(paths: Sequence[Array]) -> Array:
    """Give the two directions in which paths (k, p) moved most about their ends: (2, p)."""
    p = paths[0].shape[1]
    # Rows of zeros: the factorisation then spans all p directions however few the points.
    moves = np.concatenate([*(path - path[-1] for path in paths), np.zeros((p, p))])
    _, _, right = np.linalg.svd(np.linalg.qr(moves, mode="r") if len(moves) > 2 * p else moves)
    return signed(right[:2])


def check_range(name: str, limits: object) -> Interval:
    """Refuse what is not a pair of finite numbers, the lower first, a finite way apart."""
    try:
        low, high = (float(limit) for limit in limits)  # type: ignore[attr-defined]  # checked by trying
    except (TypeError, ValueError, OverflowError):
        low, high = np.nan, np.nan
    expected = "a range: two finite numbers, the lower first"
    if -np.inf < low < high < np.inf:
        expected = "a range whose width is a finite number too"
    if not (low < high and high - low < np.inf):
        raise InvalidSetting(
            name,
            got=repr(limits),
            expected=expected,
            advice="try (-1, 1)",
        )
    return low, high


def automatic_range(
    factor: Array, direction: Array, origin: Array, exact: Solution, paths: Sequence[Array]
) -> Interval:
    """Say from where to where an axis goes so that it shows the solution and the paths.

    Parameters
    ----------
    factor : ndarray, shape (p + 1, p + 1)
        The triangle of [1, X, y].
    direction, origin : ndarray, shape (p,)
        Of the axis.
    exact : Solution
        Around it, where there is no extent, as far as changes the predictions by the target's
        deviation.
    paths : sequence of ndarray, shape (k, p)

    Returns
    -------
    pair of float
        Distances from the origin along the direction.
    """
    reach = _reach(factor, direction, exact)
    middle = float((exact.parameters - origin) @ direction)
    seen = [(_near(path, factor) - origin) @ direction for path in paths]
    low = min([middle, *(float(along.min()) for along in seen)])
    high = max([middle, *(float(along.max()) for along in seen)])
    extent = high - low
    if extent <= 1e-9 * reach:
        return middle - reach, middle + reach
    margin, room = _MARGIN * extent, _ROOM * extent
    return min(low - margin, middle - room), max(high + margin, middle + room)


def _near(path: Array, factor: Array) -> Array:
    """Keep the points of a path that are not yet far out on a divergence."""
    residual = path @ factor[:, :-1].T - factor[:, -1]
    with np.errstate(over="ignore"):
        loss = np.einsum("ki,ki->k", residual, residual)
    near: Array = path[loss <= _FAR * max(loss[0], factor[:, -1] @ factor[:, -1])]
    return near


def _reach(factor: Array, direction: Array, exact: Solution) -> float:
    """Say how far along a direction the predictions are wrong by the target's deviation."""
    target = factor[int(exact.intercept) :, -1]  # the first row holds the target's mean
    deviation = np.linalg.norm(target) or np.linalg.norm(factor[:, -1]) or 1.0
    change = np.linalg.norm(factor[:, :-1] @ direction)
    if change <= 1e-12 * np.linalg.norm(factor[:, :-1]):  # flat: the loss sets no scale there
        return float(np.linalg.norm(exact.parameters)) or 1.0
    return float(deviation / change)
