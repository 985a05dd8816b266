"""A walk cut into calls, anywhere, has the bits of the uncut one; none writes beyond its arrays."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from thalweg.batches import Batches
from thalweg.data.dataset import Dataset
from thalweg.descent import compiled, kernel
from thalweg.descent.compiled import FullBatch, MiniBatch
from thalweg.descent.engines import to_end
from thalweg.descent.plan import Plan, Trace
from thalweg.descent.streaming import StreamedWalk, in_fours
from thalweg.losses import L1, MSE, Huber, Loss
from thalweg.optimizers.adam import Adam
from thalweg.optimizers.choice import make_rule
from thalweg.optimizers.nadam import NAdam
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import Rule
from thalweg.optimizers.sgd import SGD
from thalweg.runs.run import Outcome
from thalweg.torch_random import Generator

N = 23
RULE_CASES: tuple[Rule, ...] = (
    *(make_rule(name, 1e-3) for name in RULES),
    SGD(lr=1e-3, momentum=0.9, nesterov=True),
    Adam(lr=1e-3, amsgrad=True),
)
REGIMES = {
    "batch": Batches(),
    "stochastic": Batches(batch_size=1),
    "stochastic, shuffled": Batches(batch_size=1, shuffle=True),
    "mini-batch": Batches(batch_size=5),
    "shuffled": Batches(batch_size=3, shuffle=True, drop_last=True),
    "a last one of one row": Batches(batch_size=11, shuffle=True),
    "dropped": Batches(batch_size=9, drop_last=True),
    "written out": Batches(sampler=tuple(np.array(b) for b in ([3, 0, 3], [5], [22, 1], [7] * 7))),
    "more rows than there are": Batches(
        sampler=tuple(np.array(b) for b in (range(N), [N - 1] * 9, range(2, 20), [0]))
    ),
}
LOSSES: dict[str, Loss] = {"mse": MSE(), "l1": L1(), "huber": Huber(0.7)}
BUDGETS = (1, 2, 3, 5, 7, 16, 40)


def problem(d: int = 3) -> Dataset:
    rng = np.random.default_rng(d)
    X = rng.normal(size=(N, d)) + np.linspace(0.4, -0.7, d)
    return Dataset(X, X @ np.linspace(1.0, -2.0, d) + 0.8 + rng.normal(size=N))


def make_plan(rule: Rule, batches: Batches, *, d: int = 3, **changes: Any) -> Plan:
    plan = Plan(
        data=problem(d),
        intercept=True,
        rule=rule,
        loss=MSE(),
        epochs=6,
        batches=batches,
        start=None,
        optimizer_state=None,
        generator=Generator(5),
        record_every=1,
        gradient_tolerance=0.0,
        loss_tolerance=-np.inf,
        dtype="float64",
    )
    return plan._replace(**changes)


def cut(walk: compiled.Walk, budget: int) -> Trace:
    for _ in range(10_000):
        if walk.outcome is not Outcome.STOPPED:
            return walk.trace()
        walk.go_on(budget)
    raise AssertionError("it does not come forward")


def assert_same(got: Trace, expected: Trace) -> None:
    for name in ("path", "steps", "loss", "gradient_norm"):
        mine, other = getattr(got, name), getattr(expected, name)
        assert mine.shape == other.shape, name
        assert mine.tobytes() == other.tobytes(), name
    assert (got.outcome, got.generator) == (expected.outcome, expected.generator)
    assert repr(got.optimizer_state) == repr(expected.optimizer_state)


# --- Cut anywhere ---------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("rule", RULE_CASES, ids=str)
def test_a_cut_does_not_show(rule: Rule, regime: str) -> None:
    plan = make_plan(rule, REGIMES[regime])
    for every, intercept in ((1, True), (0, False), (5, True)):
        plan = plan._replace(record_every=every, intercept=intercept)
        whole = to_end(compiled.begin(plan))
        for budget in BUDGETS:
            assert_same(cut(compiled.begin(plan), budget), whole)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_a_cut_does_not_show_in_other_losses(loss: str, regime: str) -> None:
    plan = make_plan(NAdam(lr=0.01), REGIMES[regime], loss=LOSSES[loss], epochs=5)
    whole = to_end(compiled.begin(plan))
    for budget in range(1, N + 1):
        assert_same(cut(compiled.begin(plan), budget), whole)


@pytest.mark.parametrize("d", [1, 2, 24, 25])
@pytest.mark.parametrize("regime", ["stochastic", "stochastic, shuffled"])
def test_points_within_a_block_of_rows_are_those_of_any_block(regime: str, d: int) -> None:
    """Plain SGD makes four steps at once: recording shows no other ones."""
    plan = make_plan(SGD(lr=1e-3, weight_decay=0.1), REGIMES[regime], d=d)
    each = to_end(compiled.begin(plan))
    for every in (0, 2, 3, 4, 5, 7, 1000):
        trace = cut(compiled.begin(plan._replace(record_every=every)), 4)
        assert np.array_equal(trace.path, each.path[trace.steps])
        assert np.array_equal(trace.loss, each.loss)
        assert np.array_equal(trace.gradient_norm, each.gradient_norm)


@pytest.mark.parametrize("regime", ["batch", "stochastic", "shuffled"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_walk_says_at_any_time_what_it_did_in_whole_epochs(loss: str, regime: str) -> None:
    plan = make_plan(NAdam(lr=0.01), REGIMES[regime], loss=LOSSES[loss], record_every=5)
    walk = compiled.begin(plan)
    while walk.outcome is Outcome.STOPPED:
        walk.go_on(2)
        if walk.epochs:
            expected = to_end(compiled.begin(plan._replace(epochs=walk.epochs)))
            assert_same(walk.trace()._replace(outcome=Outcome.OUT_OF_EPOCHS), expected)


def test_a_loss_near_the_limit_is_judged_wherever_the_walk_is_cut() -> None:
    data = Dataset(np.linspace(1.0, 2.0, 200), np.r_[np.zeros(100), np.linspace(-1.0, 1.0, 100)])
    for lr, outcome in ((1e-6, Outcome.OUT_OF_EPOCHS), (1.0, Outcome.DIVERGED)):
        plan = make_plan(SGD(lr=lr), Batches(batch_size=1), data=data, epochs=3)
        whole = to_end(compiled.begin(plan))
        assert whole.outcome is outcome
        assert whole.loss_limit == compiled.loss_limit(plan)
        for budget in (1, 7, 199, 200, 201, 450):
            assert_same(cut(compiled.begin(plan), budget), whole)


# --- Guarded --------------------------------------------------------------------------------------

ZONE = 64  # numbers before and after each array


class Guarded:
    """Arrays amid zones of a canary, finite: what is not a number would survive arithmetic."""

    def __init__(self, canary: float) -> None:
        self.canary = canary
        self.zones: list[np.ndarray[Any, Any]] = []

    def around(self, array: Any) -> Any:
        """Copy an array into the middle of a zone."""
        value = self.canary if array.dtype.kind == "f" else int(abs(self.canary))
        zone = np.full(array.size + 2 * ZONE, value, array.dtype)
        self.zones.append(zone)
        inner = zone[ZONE : zone.size - ZONE].reshape(array.shape)
        inner[...] = array
        return inner

    def of_walk(self, walk: compiled.Walk) -> None:
        """Guard all that a walk's kernel is given to write to."""
        arrays, path = walk.arrays, np.full_like(walk.arrays.path, self.canary)
        path[0] = arrays.path[0]
        record = np.full_like(arrays.record, self.canary)
        arrays = arrays._replace(path=path, record=record)
        walk.arrays = kernel.Arrays(*map(self.around, arrays))
        if isinstance(walk, MiniBatch):
            epoch = walk.epoch
            walk.epoch = epoch._replace(
                order=self.around(epoch.order),
                bounds=self.around(epoch.bounds),
                twisters=self.around(epoch.twisters),
                whole=self.around(epoch.whole),
            )

    def check(self) -> None:
        for zone in self.zones:
            value = self.canary if zone.dtype.kind == "f" else int(abs(self.canary))
            assert (zone[:ZONE] == value).all()
            assert (zone[zone.size - ZONE :] == value).all()


class Blocks:
    """Rows that come in blocks, as a scan's do."""

    def __init__(self, data: Dataset, size: int) -> None:
        self.data, self.size, self.summary = data, size, data.summary
        self.features = data.features

    def __len__(self) -> int:
        return len(self.data)

    def blocks(self) -> Iterator[tuple[Any, Any]]:
        for k in range(0, len(self.data), self.size):
            yield self.data.X[k : k + self.size], self.data.y[k : k + self.size]


class StreamedBlocks(StreamedWalk):
    """A streamed walk over rows that are in memory after all."""

    def __init__(self, plan: Plan, size: int) -> None:
        self.data: Any = Blocks(plan.rows, size)
        MiniBatch.__init__(self, plan)
        self.first, self.block = 0, None
        self.blocks = in_fours(self.data.blocks())


def guarded(make: Callable[[], compiled.Walk], budget: int) -> Trace:
    """Walk twice amid different canaries, which must not show."""
    traces = []
    for canary in (7.25, -3.5e5):
        walk, guard = make(), Guarded(canary)
        guard.of_walk(walk)
        traces.append(cut(walk, budget))
        guard.check()
    assert_same(traces[0], traces[1])
    return traces[0]


def check_guarded(rules: tuple[Rule, ...], losses: dict[str, Loss], d: int) -> None:
    for rule, loss, batches, intercept, every in itertools.product(
        rules, losses.values(), REGIMES.values(), (True, False), (1, 0, 4)
    ):
        plan = make_plan(
            rule, batches, d=d, loss=loss, intercept=intercept, epochs=3, record_every=every
        )
        in_memory = partial(compiled.begin, plan)
        whole = guarded(in_memory, 10**6)
        assert_same(guarded(in_memory, 5), whole)
        if not (batches.sampler or batches.shuffle or compiled.needs_no_rows(plan)):
            for size in (1, 6, 8):
                assert_same(guarded(partial(StreamedBlocks, plan, size), 10**6), whole)


@pytest.mark.parametrize("d", [1, 3, 30])
@pytest.mark.parametrize("rule", RULE_CASES, ids=str)
def test_nothing_is_written_beyond_the_arrays(rule: Rule, d: int) -> None:
    check_guarded((rule,), {"mse": MSE(), "huber": Huber(0.7)}, d)


@pytest.mark.long
def test_all_of_it_with_numbas_own_check(tmp_path: Path) -> None:
    script = """
        import sys
        sys.path[:0] = sys.argv[1:]
        from descent.test_calls import *
        from thalweg.optimizers.asgd import ASGD
        from thalweg.optimizers.nadam import NAdam
        from thalweg.optimizers.sgd import SGD
        check_guarded((SGD(lr=1e-3), NAdam(), ASGD(lr=1e-3)), {"mse": MSE(), "l1": L1()}, 3)
        check_guarded((SGD(lr=1e-3),), {"mse": MSE()}, 1)
    """
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    tests = str(Path(__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tests], check=True, env=environment
    )


Broken: TypeAlias = tuple[Any, Any]
BROKEN: dict[str, Callable[[Any, Any], Broken]] = {
    "slots of another rule": lambda a, e: (a._replace(slots=a.slots[:1]), e),
    "slots too narrow": lambda a, e: (a._replace(slots=a.slots[:, 1:].copy()), e),
    "a short path": lambda a, e: (a._replace(path=a.path[:-2]), e),
    "a narrow path": lambda a, e: (a._replace(path=a.path[:, 1:].copy()), e),
    "a short record": lambda a, e: (a._replace(record=a.record[:, 1:].copy()), e),
    "a small gradient": lambda a, e: (a._replace(gradient=a.gradient[1:]), e),
    "small sums": lambda a, e: (a._replace(sums=a.sums[1:]), e),
    "few scalars": lambda a, e: (a._replace(scalars=a.scalars[:2]), e),
    "a short cursor": lambda a, e: (a._replace(cursor=a.cursor[:-1]), e),
    "no losses": lambda a, e: (a._replace(losses=a.losses[:1]), e),
    "fewer parameters": lambda a, e: (a._replace(w=a.w[1:]), e),
    "a row that does not exist": lambda a, e: (a, e._replace(order=e.order + 10)),
    "a row before the first": lambda a, e: (a, e._replace(order=e.order - 1)),
    "a short order": lambda a, e: (a, e._replace(order=e.order[1:])),
    "bounds that do not ascend": lambda a, e: (a, e._replace(bounds=e.bounds[[0, 2, 1, 3, 4]])),
    "bounds beyond the order": lambda a, e: (a, e._replace(bounds=e.bounds + 1)),
    "no room for the state": lambda a, e: (a, e._replace(whole=e.whole[1:])),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_arrays_that_do_not_fit_are_refused(fault: str) -> None:
    walk = compiled.begin(make_plan(NAdam(), REGIMES["written out"]))
    assert isinstance(walk, MiniBatch)
    walk.arrays, walk.epoch = BROKEN[fault](walk.arrays, walk.epoch)
    with pytest.raises((ValueError, IndexError), match="internal error"):
        walk.go_on(100)


@pytest.mark.parametrize("fault", [*BROKEN][:11])
@pytest.mark.parametrize("d", [1, 3])
def test_arrays_that_do_not_fit_batch_descent_are_refused(d: int, fault: str) -> None:
    walk = compiled.begin(make_plan(NAdam(), Batches(), d=d))
    assert isinstance(walk, FullBatch)
    walk.arrays, _ = BROKEN[fault](walk.arrays, None)
    with pytest.raises(ValueError, match="internal error"):
        walk.go_on(100)


def test_a_triangle_of_other_rows_is_refused() -> None:
    for d in (1, 3):
        walk = compiled.begin(make_plan(NAdam(), Batches(), d=d))
        assert isinstance(walk, FullBatch)
        walk.triangle = walk.triangle._replace(triangle=np.eye(d + 1))
        with pytest.raises(ValueError, match="internal error"):
            walk.go_on(100)


def test_blocks_that_are_cut_elsewhere_are_refused() -> None:
    walk = compiled.begin(make_plan(NAdam(), REGIMES["stochastic"]))
    assert isinstance(walk, MiniBatch)
    X, y, _ = walk._rows()
    with pytest.raises(ValueError, match="multiple of four"):
        walk.kernel(
            walk.rule, walk.plan.loss, X[:6], y[:6], 0, walk.epoch, walk.limits, walk.arrays, 1
        )
    for random in (0, 1):
        shuffled = compiled.begin(make_plan(NAdam(), REGIMES["shuffled"]))
        assert isinstance(shuffled, MiniBatch)
        shuffled.epoch.twisters[random, -1] = 624
        with pytest.raises(ValueError, match="random stream"):
            shuffled.go_on(1)


# --- Ctrl-C ---------------------------------------------------------------------------------------

LONG_FITS: dict[str, str] = {
    "batch": "fit(wide, epochs=3_000_000, record=10**6{more})",
    "from the rows": "fit(large, epochs=3_000_000, loss='l1', record=10**6{more})",
    "mini-batch": "fit(large, epochs=30_000, batch_size=32{more})",
    "stochastic": "fit(large, epochs=30_000, batch_size=1, optimizer='sgd', lr=1e-5{more})",
    "shuffled": "fit(large, epochs=30_000, batch_size=1, shuffle=True{more})",
    "reference": "fit(data, epochs=3_000_000, batch_size=4, engine='reference'{more})",
}
SESSION = """
    import sys, threading, time, signal, os
    import numpy as np
    import thalweg
    from thalweg import fit

    rng = np.random.default_rng(0)
    def rows(n, d):
        X = rng.normal(size=(n, d))
        return thalweg.Dataset(X, X.sum(axis=1) + rng.normal(size=n))
    data, wide, large = rows(50, 3), rows(500, 200), rows(200_000, 5)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    {fit}
    timer = threading.Timer(1.0, press)
    timer.start()
    try:
        run = {fit_long}
        print("run", run.outcome.name, run.epochs, time.perf_counter() - pressed[0])
    except KeyboardInterrupt:
        print("interrupted", time.perf_counter() - pressed[0])
"""


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "watched"])
@pytest.mark.parametrize("work", LONG_FITS)
def test_ctrl_c_ends_any_fit_soon(work: str, watched: bool) -> None:
    """Within 0.3 s; more is granted here to a machine that has other work."""
    more = ", progress=lambda _: None" if watched else ""
    asked = LONG_FITS[work].format(more=more)
    warm = asked.replace("3_000_000", "1").replace("30_000", "1")
    script = textwrap.dedent(SESSION).replace("{fit_long}", asked).replace("{fit}", warm)
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=300
    )
    said = done.stdout.split()
    assert float(said[-1]) < 2.0
    if watched:
        assert said[:2] == ["run", "STOPPED"]
        assert int(said[2]) > 0
    else:
        assert said[0] == "interrupted"
