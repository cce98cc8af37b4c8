"""What answers say: means of ratings, preferences, each with a 95 % interval over listeners.

A listener rates several recordings, and these ratings hang together. So each listener counts once,
with a mean, and the interval is that of Student's t over listeners, as BS.1534-3 has it. Of one
listener alone there are intervals over recordings: they say nothing of other people.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from thirdstream.listening.answers import Answers, Screen
from thirdstream.listening.design import ANCHOR, HIDDEN, QUESTIONS, REFERENCE, Key

LEVEL = 0.95
RECOGNISED = 90  # what the hidden reference gets at least from who recognises it (BS.1534-3)
FORGIVEN = 0.15  # share of screens on which it may get less
Unit = Literal["listeners", "recordings"]
Direction = tuple[str, str]


class Estimate(NamedTuple):
    """mean: 0 to 100. low, high: its interval, None of one unit. n: units; n_answers: of all."""

    mean: float
    low: float | None
    high: float | None
    n: int
    n_answers: int


class Preference(NamedTuple):
    """Of two systems, how many units prefer the first, the second, or neither, in one question.

    share: of those that prefer one, who prefer the first, 0 to 1, with Wilson's interval; None
    where nobody does.
    """

    first: str
    second: str
    question: str
    n_first: int
    n_second: int
    n_neither: int
    share: float | None
    low: float | None
    high: float | None


def unit_of(answers: Sequence[Answers]) -> Unit:
    """What intervals are over."""
    return "listeners" if sum(bool(one.screens) for one in answers) > 1 else "recordings"


def means(
    key: Key, answers: Sequence[Answers], direction: Direction | None = None
) -> dict[str, dict[str, Estimate]]:
    """system -> question -> mean rating; of recordings of one direction, or of all.

    Systems that nobody rated are left out. In order: by the sum of means, hidden sounds last.
    """
    by_unit: dict[tuple[str, str], dict[Hashable, list[int]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for unit, screen in _screens(key, answers, direction):
        for code, values in screen.ratings.items():
            for question, value in values.items():
                by_unit[_system(key, screen, code), question][unit].append(value)
    found: dict[str, dict[str, Estimate]] = defaultdict(dict)
    for (system, question), units in by_unit.items():
        found[system][question] = estimate(units)

    def place(system: str) -> tuple[bool, float, str]:
        return system in HIDDEN, -sum(one.mean for one in found[system].values()), system

    return {system: found[system] for system in sorted(found, key=place)}


def estimate(units: Mapping[Hashable, Sequence[float]]) -> Estimate:
    """The mean of the units' means, and Student's interval, within 0 to 100."""
    values = np.array([np.mean(one) for one in units.values()])
    mean, n_answers = float(values.mean()), sum(len(one) for one in units.values())
    if len(values) < 2:
        return Estimate(mean, None, None, len(values), n_answers)
    error = values.std(ddof=1) / np.sqrt(len(values))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * error)
    return Estimate(mean, max(0.0, mean - reach), min(100.0, mean + reach), len(values), n_answers)


def preferences(
    key: Key, answers: Sequence[Answers], direction: Direction | None = None
) -> list[Preference]:
    """Every pair that was compared, by question. A unit prefers what it chose more often."""
    votes: dict[tuple[str, str, str], dict[Hashable, int]] = defaultdict(lambda: defaultdict(int))
    for unit, screen in _screens(key, answers, direction):
        systems = [_system(key, screen, code) for code in screen.order]
        first, second = sorted(systems, key=lambda name: (name in HIDDEN, name))
        for question, choice in screen.choices.items():
            towards = {"a": 1, "none": 0, "b": -1}[choice] * (1 if systems[0] == first else -1)
            votes[first, second, question][unit] += towards
    order = list(QUESTIONS)
    found = [_preference(pair, list(units.values())) for pair, units in votes.items()]
    return sorted(found, key=lambda one: (one.first in HIDDEN, *one[:2], order.index(one.question)))


def _preference(pair: tuple[str, str, str], votes: Sequence[int]) -> Preference:
    n_first, n_second = (sum(sign * one > 0 for one in votes) for sign in (1, -1))
    n_either = n_first + n_second
    share = low = high = None
    if n_either:
        interval = stats.binomtest(n_first, n_either).proportion_ci(LEVEL, method="wilson")
        share, low, high = n_first / n_either, float(interval.low), float(interval.high)
    return Preference(*pair, n_first, n_second, len(votes) - n_either, share, low, high)


def doubtful(key: Key, answers: Iterable[Answers]) -> list[str]:
    """Listeners whom the post-screening of BS.1534-3 leaves out, by code.

    They rate the hidden reference, which is the original itself, below 90 in how recognisable the
    piece is, on more than 15 % of the screens; in comparisons they like the low-passed original
    better than the original.
    """
    return [one.listener for one in answers if one.screens and _fails(key, one)]


def _fails(key: Key, answers: Answers) -> bool:
    missed = []
    for screen in answers.screens:
        names = {_system(key, screen, code): code for code in screen.order}
        if key.mode == "rating" and REFERENCE in names:
            missed.append(screen.ratings[names[REFERENCE]]["piece"] < RECOGNISED)
        elif key.mode == "ab" and set(names) == {REFERENCE, ANCHOR}:
            chosen = {"a": 0, "b": 1}.get(screen.choices["quality"])
            missed.append(chosen is not None and screen.order[chosen] == names[ANCHOR])
    return bool(missed) and float(np.mean(missed)) > FORGIVEN


def _screens(
    key: Key, answers: Sequence[Answers], direction: Direction | None
) -> Iterator[tuple[Hashable, Screen]]:
    """Every screen with the unit that it belongs to."""
    unit = unit_of(answers)
    for one in answers:
        for screen in one.screens:
            item = key.item(screen.item)
            assert item is not None  # as `read_answers` has checked
            if direction in (None, (item.style, item.to)):
                yield (one.listener if unit == "listeners" else screen.item), screen


def _system(key: Key, screen: Screen, code: str) -> str:
    item = key.item(screen.item)
    assert item is not None
    return item.sounds[code]
