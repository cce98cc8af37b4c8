"""Who plays in a style, by all of its recordings: what must hold of it."""

import random

from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.learning.agreement import Candidates, agreed

COSTS = st.dictionaries(st.integers(0, 5), st.floats(0, 0.6), min_size=1, max_size=4)


def programs(*costs: dict[int, float]) -> list[int]:
    """Of one part of recordings."""
    return [found for (found,) in agreed([[Candidates(name="bass", costs=one)] for one in costs])]


@given(COSTS)
def test_a_single_recording_has_what_costs_least(costs: dict[int, float]) -> None:
    (found,) = programs(costs)
    assert costs[found] <= min(costs.values()) + 1e-9


@given(st.lists(COSTS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_each_has_one_that_may_play_it_whatever_their_order(
    costs: list[dict[int, float]], rng: random.Random
) -> None:
    found = programs(*costs)
    assert all(program in one for program, one in zip(found, costs, strict=True))
    order = rng.sample(range(len(costs)), len(costs))
    assert programs(*(costs[k] for k in order)) == [found[k] for k in order]


def test_recordings_that_are_sure_decide_for_one_that_is_not() -> None:
    unsure = {43: 0.30, 58: 0.29}
    assert programs(unsure) == [58]
    assert programs(unsure, *[{43: 0.2, 58: 0.6}] * 3) == [43] * 4


def test_one_that_is_sure_keeps_its_own() -> None:
    flutes, saxophones = [{73: 0.1, 66: 0.8}] * 6, [{73: 0.8, 66: 0.1}] * 3
    assert programs(*flutes, *saxophones) == [73] * 6 + [66] * 3


def test_what_few_recordings_have_was_misheard_unless_nothing_else_may_play() -> None:
    usual = [{0: 0.1, 6: 0.8}] * 9
    assert programs(*usual, {0: 0.8, 6: 0.1}) == [0] * 10
    assert programs(*usual, {6: 0.1}) == [0] * 9 + [6]


def test_parts_are_apart() -> None:
    held, struck = ({42: 0.1, 0: 0.2}, {42: 0.2, 0: 0.1})
    parts = [Candidates(name="harmony", costs=struck), Candidates(name="held harmony", costs=held)]
    assert agreed([parts] * 3 + [parts[::-1]]) == [[0, 42]] * 3 + [[42, 0]]
    assert agreed([[], parts]) == [[], [0, 42]]
