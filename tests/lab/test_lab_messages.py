"""What may go over the wire: every kind of request, refused with its sentence where it is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import InvalidSetting
from thalweg.lab import messages
from thalweg.lab.controls import controls
from thalweg.lab.messages import (
    MESSAGE_CHARACTERS,
    VERSION,
    Frame,
    Source,
    View,
    answer,
    find_id,
    parse,
    read_settings,
)
from thalweg.settings import DEFAULTS

if TYPE_CHECKING:
    from lab.conftest import Decode

FULL_REQUEST = {
    "version": VERSION,
    "id": 42,
    "type": "show",
    "runs": [
        {
            "optimizer": "sgd", "lr": 1e-3, "epochs": 10, "batch_size": 4, "shuffle": True,
            "drop_last": True, "loss": "huber", "delta": 2.5, "seed": 7, "start": [0, 1],
            "standardize": True, "hyperparameters": {"momentum": 0.9, "nesterov": True},
        },
        {"optimizer": "adam", "hyperparameters": {"betas": [0.8, 0.99]}},
    ],
    "view": {"along": ["bias", "weight"], "ranges": [[-1, 1], [0, 0.1]]},
    "data": {
        "source": "rows", "target": "pages", "features": ["hours"], "X": [[1], [2]], "y": [3, 4],
        "units": {"hours": "h"}, "name": "mine",
    },
}  # fmt: skip


def wired(**contents: Any) -> str:
    return json.dumps({"version": VERSION, "id": 1, "type": "show", "runs": [{}], **contents})


def test_a_full_request_is_read_whole() -> None:
    request = parse(json.dumps(FULL_REQUEST))
    assert request.type == "show"
    assert request.id == 42
    assert request.runs[0] == {
        "optimizer": "sgd", "lr": 1e-3, "epochs": 10, "batch_size": 4, "shuffle": True,
        "drop_last": True, "loss": "huber", "delta": 2.5, "seed": 7, "start": [0.0, 1.0],
        "standardize": True, "momentum": 0.9, "nesterov": True,
    }  # fmt: skip
    assert request.runs[1] == {"optimizer": "adam", "betas": (0.8, 0.99)}
    assert request.view == View(("bias", "weight"), ((-1.0, 1.0), (0.0, 0.1)))
    assert request.source == Source(
        "rows", target="pages", features=("hours",), X=((1.0,), (2.0,)), y=(3.0, 4.0),
        units={"hours": "h"}, name="mine",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("{", "message: got no JSON, expected a JSON object; reload the page"),
        ("[]", "message: got list, expected an object; send name and value pairs"),
        ("[" * 100_000, "message: got no JSON, expected a JSON object; reload the page"),
        (
            " " * (MESSAGE_CHARACTERS + 1),
            "message: got 1,048,577 characters, expected at most 1,048,576; "
            "upload the rows as a file",
        ),
        (wired(version=99), "version: got 99, expected 1; reload the page"),
        (
            wired(type="shwo"),
            "type: got 'shwo', expected one of data, move, show, moment, explain; "
            "did you mean 'show'?",
        ),
        (
            wired(type=["show"]),
            "type: got ['show'], expected one of data, move, show, moment, explain; "
            "did you mean 'show'?",
        ),
        (wired(id=-1), "id: got -1, expected a whole number from 0 to 9,007,199,254,740,992; "
         "change it"),
        (wired(runs=[]), "runs: got none, expected the settings of one run at least; "
         'try [{"lr": 0.01}]'),
        (wired(runs=[{}] * 13), "runs: got 13 entries, expected a list of at most 12; send fewer"),
        (wired(runs=[3]), "runs: got int, expected an object; send name and value pairs"),
        (
            wired(runs=[{"learning_rate": 0.1}]),
            "runs: got the setting 'learning_rate', expected settings that the page has; "
            "choose one of 'optimizer', 'lr', 'epochs', 'batch_size', 'shuffle', 'drop_last', "
            "'loss', 'delta', 'seed', 'standardize', 'start', 'hyperparameters'",
        ),
        (wired(runs=[{"engine": "reference"}]), None),
        (wired(runs=[{"record": "step"}]), None),
        (wired(runs=[{"lr": "0.1"}]), "lr: got '0.1', expected a positive number; try lr=0.01"),
        (wired(runs=[{"lr": True}]), "lr: got True, expected a positive number; try lr=0.01"),
        ('{"version": 1, "id": 1, "type": "show", "runs": [{"lr": NaN}]}',
         "message: got NaN, expected finite numbers; leave the value out"),
        ('{"version": 1, "id": 1, "type": "show", "runs": [{"lr": 1e999}]}',
         "lr: got inf, expected a positive number; try lr=0.01"),
        (wired(runs=[{"optimizer": "muon"}]), None),
        (wired(runs=[{"optimizer": "sgd", "hyperparameters": {"foreach": True}}]), None),
        (wired(runs=[{"hyperparameters": {"lr": 1.0}}]), None),
        (
            wired(runs=[{"epochs": 2.5}]),
            "epochs: got 2.5, expected a whole number of at least 1; try epochs=250",
        ),
        (wired(runs=[{"shuffle": 1}]), "shuffle: got 1, expected True or False; "
         "say one of the two"),
        (wired(view={"ranges": [[0, 1]]}), "ranges: got 1 ranges, expected one for each axis; "
         "give two"),
        (
            wired(data={"source": "/etc/passwd"}),
            "data: got the source '/etc/passwd', expected 'chapters', 'file', 'upload' or 'rows'; "
            "choose one of them",
        ),
        (wired(data={"source": "rows", "X": [[0.0] * 51], "y": [1.0]}), None),
        (wired(data={"source": "rows", "X": [[0.0]] * 5001, "y": [1.0]}), None),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_with_a_sentence(message: str, sentence: str | None) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        parse(message)
    if sentence is not None:
        assert str(refusal.value) == sentence


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["version", "id", "type", "runs", "data", "view", "epoch", "autograd"]),
        json_values | st.sampled_from([1, "show", "data", [{}], {"source": "rows"}]),
    )
)
def test_nothing_but_our_own_refusals_comes_out_of_any_json(message: dict[str, Any]) -> None:
    with suppress(InvalidSetting):
        assert parse(json.dumps({"version": VERSION, **message})).id >= 0


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=3))
def test_settings_of_any_kind_are_read_or_refused(settings: dict[str, Any]) -> None:
    try:
        read = read_settings(settings)
    except InvalidSetting:
        return
    assert set(read) <= set(settings)


@given(st.text())
def test_an_id_is_found_in_any_text(text: str) -> None:
    assert find_id(text) >= 0


def test_what_json_cannot_say_is_null() -> None:
    written = json.loads(answer(3, "data", values=np.array([1.0, np.nan, np.inf]), n=np.int64(2)))
    assert written == {"id": 3, "type": "data", "values": [1.0, None, None], "n": 2}


def test_a_frame_keeps_gaps_and_cuts_what_single_precision_cannot_hold(decode: Decode) -> None:
    frame = Frame()
    first = frame.put([1.5, np.nan, 1e300, -np.inf])
    second = frame.put(np.arange(6.0).reshape(2, 3))
    read = decode(frame.encode({"id": 9, "name": "é", "first": first, "second": second}))
    assert read["name"] == "é"
    np.testing.assert_array_equal(read["first"], np.array([1.5, np.nan, 1e30, -1e30], np.float32))
    np.testing.assert_array_equal(read["second"], np.arange(6.0))


# It always fits a bias, in float64, and walks all the epochs.
NOT_OFFERED = {
    "batch_sampler", "intercept", "engine", "dtype", "record", "tolerance", "tolerance_on"
}  # fmt: skip


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_setting_of_fit_is_offered_or_refused(name: str) -> None:
    assert (name in controls()["defaults"]) == (name not in NOT_OFFERED)
    if name in NOT_OFFERED:
        with pytest.raises(InvalidSetting, match=f"runs: got the setting '{name}', expected"):
            messages.read_settings({name: DEFAULTS[name]})
