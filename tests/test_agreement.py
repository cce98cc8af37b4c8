"""Who plays in a style, by all of its recordings: what must hold of it."""

import random

from hypothesis import given
from hypothesis import strategies as st

from thirdstream.notes.learning.agreement import Candidates, agreed

Costs = dict[tuple[int, ...], float]
PLAYERS = st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True).map(tuple)
COSTS = st.dictionaries(PLAYERS, st.floats(0, 0.6), min_size=1, max_size=4)


def part(name: str, costs: Costs) -> Candidates:
    return Candidates(name=name, costs=tuple(costs.items()))


def players(*costs: Costs) -> list[tuple[int, ...]]:
    """Of one part of recordings."""
    return [found for (found,) in agreed([[part("bass", one)] for one in costs])]


def programs(*costs: dict[int, float]) -> list[int]:
    """The same, of players that are alone."""
    alone = [{(program,): cost for program, cost in one.items()} for one in costs]
    return [program for (program,) in players(*alone)]


@given(COSTS)
def test_a_single_recording_has_somebody_that_few_others_are_cheaper_than(costs: Costs) -> None:
    """Somebody alone: the cheapest. What is common in it counts where several play together."""
    (found,) = players(costs)
    if all(len(who) == 1 for who in costs):
        assert costs[found] <= min(costs.values()) + 1e-9
    assert found in costs


@given(st.lists(COSTS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_each_has_one_that_may_play_it_whatever_their_order(
    costs: list[Costs], rng: random.Random
) -> None:
    found = players(*costs)
    assert all(who in one for who, one in zip(found, costs, strict=True))
    order = rng.sample(range(len(costs)), len(costs))
    assert players(*(costs[k] for k in order)) == [found[k] for k in order]


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
    held, struck = ({(42,): 0.1, (0,): 0.2}, {(42,): 0.2, (0,): 0.1})
    parts = [part("harmony", struck), part("held harmony", held)]
    assert agreed([parts] * 3 + [parts[::-1]]) == [[(0,), (42,)]] * 3 + [[(42,), (0,)]]
    assert agreed([[], parts]) == [[], [(0,), (42,)]]


def test_those_that_play_together_elsewhere_do_so_where_it_is_in_doubt() -> None:
    together, unsure = {(27,): 0.6, (27, 66): 0.1}, {(27, 66): 0.21, (27, 42): 0.2, (48,): 0.2}
    assert players(*[together] * 4, unsure) == [(27, 66)] * 5


def test_costs_that_are_far_apart_are_compared() -> None:
    assert programs({0: 900.0, 6: 901.0}, {0: 900.0, 6: 901.0}) == [0, 0]
