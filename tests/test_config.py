import dataclasses
import math
from typing import Literal

import pytest

from lgan_jax import config


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float
    kind: Literal["a", "b"] = "a"


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner
    names: tuple[str, ...]
    steps: int = 3
    limit: int | None = None
    flag: bool = False

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; at least one is needed")


GOOD = {"inner": {"rate": 1}, "names": ["x", "y"]}


def test_reads_nested_settings_with_defaults():
    assert config.read(Outer, GOOD) == Outer(Inner(1.0, "a"), ("x", "y"), 3, None, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stepz": 1}, "config has no field 'stepz'; did you mean 'steps'?"),
        ({"qqq": 1}, "config has no field 'qqq'; its fields are flag, inner, limit, names, steps"),
        ({"inner": {"rate": 1, "rat": 2}}, "config.inner has no field 'rat'; did you mean 'rate'?"),
        ({"inner": {}}, "config.inner.rate is not set and has no default"),
        ({"inner": 5}, "config.inner must hold fields of its own, not 5"),
        ({"inner": {"rate": 1, "kind": "c"}}, "config.inner.kind is 'c'; it must be one of 'a', 'b'"),
        ({"steps": 1.5}, "config.steps must be int, not 1.5"),
        ({"steps": True}, "config.steps must be int, not True"),
        ({"flag": 1}, "config.flag must be bool, not 1"),
        ({"names": "xy"}, "config.names must be a list, not 'xy'"),
        ({"names": ["x", 3]}, "config.names[1] must be str, not 3"),
        ({"limit": "x"}, "config.limit must be int, not 'x'"),
        ({"steps": 0}, "config: steps is 0; at least one is needed"),
    ],
)
def test_one_line_says_what_is_wrong(change, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared below)
        config.read(Outer, GOOD | change)
    assert str(caught.value) == message


def test_defaults_are_what_read_would_fill_in():
    assert config.completed(Outer, {}) == {"steps": 3, "limit": None, "flag": False}
    filled = config.completed(Outer, {"inner": config.completed(Inner, {"rate": 1.0})})
    assert filled == {"steps": 3, "limit": None, "flag": False, "inner": {"rate": 1.0, "kind": "a"}}
    assert config.read(Outer, {**filled, "names": ()}) == Outer(Inner(1.0), ())


@dataclasses.dataclass(frozen=True)
class Falling:
    name: Literal["falling"] = "falling"
    high: float = 1.0
    low: float = 0.0


@dataclasses.dataclass(frozen=True)
class Constant:
    name: Literal["constant"] = "constant"
    high: float = 2.0


@dataclasses.dataclass(frozen=True)
class Phase:
    rates: Falling | Constant = Falling(high=5.0, low=3.0)
    only: Constant = Constant(high=6.0)
    inner: Inner = Inner(7.0, "b")
    steps: int = 9


def test_a_kind_inherits_nothing_from_the_default_that_it_replaces():
    assert config.completed(Phase, {}) == {
        "rates": {"name": "falling", "high": 5.0, "low": 3.0},
        "only": {"name": "constant", "high": 6.0},
        "inner": {"rate": 7.0, "kind": "b"},
        "steps": 9,
    }
    given = {"rates": {"name": "falling", "high": 4.0}, "only": {"name": "constant"}, "inner": {"kind": "a"}}
    assert config.completed(Phase, given) == {
        "rates": {"name": "falling", "high": 4.0, "low": 0.0},
        "only": {"name": "constant", "high": 2.0},
        "inner": {"rate": 7.0, "kind": "a"},
        "steps": 9,
    }
    given["rates"] = {"name": "constant"}
    assert config.completed(Phase, given)["rates"] == {"name": "constant", "high": 2.0}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"name": "falling", "hihg": 4.0},
            "config.rates, which is 'falling', has no field 'hihg'; did you mean 'high'?",
        ),
        ({"name": "other", "high": 1.0}, "config.rates.name is 'other'; it must be one of 'falling', 'constant'"),
        ({"high": 1.0}, "config.rates.name is not set; it must be one of 'falling', 'constant'"),
        (3, "config.rates must hold fields of its own, not 3"),
    ],
)
def test_what_no_kind_has_is_refused(section, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared below)
        config.read(Phase, config.completed(Phase, {"rates": section}))
    assert str(caught.value) == message


def test_kinds_at_a_place():
    values = {"phase": config.completed(Phase, {})}

    @dataclasses.dataclass
    class Whole:
        phase: Phase

    assert config.kinds_at(Whole, values, ["phase", "rates"]) == {"falling": Falling, "constant": Constant}
    assert config.kinds_at(Whole, values, ["phase", "only"]) == {"constant": Constant}
    for place in ([], ["phase"], ["phase", "inner"], ["phase", "steps"], ["phase", "rates", "high"]):
        assert config.kinds_at(Whole, values, place) == {}


@pytest.mark.parametrize(
    ("value", "low", "high", "message"),
    [
        (0.5, 1, math.inf, "low is 0.5; it must be at least 1"),
        (-0.1, 0, 1, "low is -0.1; it must be between 0 and 1"),
        (math.nan, 0, math.inf, "low is nan; it must be at least 0"),
    ],
)
def test_bounds_of_numbers(value, low, high, message):
    config.within(Falling(low=0.75), 0, 1, "high", "low")
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared below)
        config.within(Falling(low=value), low, high, "low")
    assert str(caught.value) == message
