"""The columns that are fitted are found by name, and refused all at once and by name."""

import pytest

from thalweg.data.columns import ChosenColumns, Column, choose
from thalweg.errors import InvalidData, InvalidSetting

TABLE = [
    Column("length", "double", True),
    Column("width", "int64", True),
    Column("mass", "double", True),
]


def test_every_column_but_the_target_is_a_feature() -> None:
    assert choose(TABLE, target="width", features=None, source="t") == ChosenColumns(
        ("length", "mass"), "width", (0, 2, 1)
    )


def test_features_come_in_the_order_asked_for() -> None:
    chosen = choose(TABLE, target="length", features=["mass", "width"], source="t")
    assert chosen == ChosenColumns(("mass", "width"), "length", (2, 1, 0))
    assert choose(TABLE, target="mass", features="width", source="t").positions == (1, 2)


@pytest.mark.parametrize(
    ("target", "features", "expected"),
    [
        ("mas", None, "target: got 'mas', expected a column of t.csv; did you mean 'mass'?"),
        (
            "zzz",
            None,
            "target: got 'zzz', expected a column of t.csv; "
            "choose one of 'length', 'width', 'mass'",
        ),
        (
            "mass",
            ["lenght"],
            "features: got 'lenght', expected a column of t.csv; did you mean 'length'?",
        ),
        (
            "mass",
            ["lenght", "width", "withd"],
            "features: got 'lenght', 'withd', expected columns of t.csv; "
            "for 'lenght' did you mean 'length'?; for 'withd' did you mean 'width'?",
        ),
        (
            "mass",
            ["lenght", "zzz", "qqq"],
            "features: got 'lenght', 'zzz', 'qqq', expected columns of t.csv; for 'lenght' did "
            "you mean 'length'?; for the others choose one of 'length', 'width', 'mass'",
        ),
        *(
            (
                "mass",
                features,
                f"features: got {features!r} with target 'mass', expected at least one name, each "
                "once, and not the target's; leave features out to take every column but the "
                "target",
            )
            for features in ([], ["width", "width"], ["width", "mass"])
        ),
    ],
)
def test_names_that_cannot_be_chosen(target: str, features: list[str], expected: str) -> None:
    with pytest.raises(InvalidSetting) as error:
        choose(TABLE, target=target, features=features, source="t.csv")
    assert str(error.value) == expected


MIXED = [
    *TABLE,
    Column("day", "date", False),
    Column("", "int64", True),
    Column("city", "text", False),
    Column("__index_level_0__", "int64", True),
]
NUMBERS = "expected numbers in each column that is fitted"


@pytest.mark.parametrize(
    ("target", "features", "expected"),
    [
        (
            "mass",
            None,
            "t.csv: got columns that are not numbers: 'day' (date), 'city' (text), '' (an index?), "
            f"'__index_level_0__' (an index?), {NUMBERS}; leave them out with "
            "features=['length', 'width'], or turn them into numbers first",
        ),
        (
            "mass",
            ["width", "day"],
            f"t.csv: got columns that are not numbers: 'day' (date), {NUMBERS}; "
            "leave them out with features=['width'], or turn them into numbers first",
        ),
        (
            "mass",
            ["day", "city"],
            f"t.csv: got columns that are not numbers: 'day' (date), 'city' (text), {NUMBERS}; "
            "turn them into numbers first: no feature is left without them",
        ),
        (
            "city",
            ["width", "day"],
            f"t.csv: got columns that are not numbers: 'day' (date), 'city' (text), {NUMBERS}; "
            "turn them into numbers first, or name another target",
        ),
    ],
)
def test_columns_that_are_not_numbers(target: str, features: list[str], expected: str) -> None:
    with pytest.raises(InvalidData) as error:
        choose(MIXED, target=target, features=features, source="t.csv")
    assert str(error.value) == expected


def test_the_advice_can_be_pasted() -> None:
    pasted = choose(MIXED, target="mass", features=["length", "width"], source="t")
    assert pasted.positions == (0, 1, 2)
    assert choose(MIXED, target="mass", features=[""], source="t").positions == (4, 2)


def test_a_name_that_stands_for_several_columns() -> None:
    table = [*TABLE, Column("width", "double", True)]
    with pytest.raises(InvalidData) as error:
        choose(table, target="mass", features=None, source="t.csv")
    assert str(error.value) == (
        "t.csv: got 2 columns called 'width', expected a name of its own for each column that is "
        "fitted; rename them, or leave them out with features=['length']"
    )
    assert choose(table, target="mass", features=["length"], source="t").positions == (0, 2)


@pytest.mark.parametrize(
    ("table", "got"), [([], "no columns"), (TABLE[:1], "one column, 'length'")]
)
def test_a_table_without_enough_columns(table: list[Column], got: str) -> None:
    with pytest.raises(InvalidData) as error:
        choose(table, target="y", features=None, source="t.csv")
    assert str(error.value) == (
        f"t.csv: got {got}, expected a target and at least one feature; "
        "in a text, check that comma, semicolon, tab or | separates the columns, and skip lines "
        "above them with skip_rows; an index of pandas is no column"
    )
