"""Who plays in the recordings of a style, by all of them together.

A single recording tells its instruments uncertainly, and those of a style are often the same. So
how common each instrument is in the style, and who plays in each recording, are found at once: the
weights of a mixture, by expectation maximisation (Dempster, Laird and Rubin 1977). Those that play
together are as likely as they are common in the mean.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.learning.resynthesis import Programs
from thirdstream.notes.styles.learned import Entry

UNCERTAIN = 0.08  # divergence for which an instrument is less likely by a factor of e
FEW = 0.15  # share of the recordings up to which an instrument was misheard
N_STEPS = 30

Costs = Sequence[tuple[Programs, float]]


class Candidates(Entry):
    """A part of a recording by its name ("melody", "bass"), and the General MIDI programs that may
    play it, alone or together, each with its cost: how unlike the recording it sounds."""

    name: str
    costs: tuple[tuple[Programs, float], ...]


def agreed(recordings: Sequence[Sequence[Candidates]]) -> list[list[Programs]]:
    """For each recording the programs that play its parts."""
    found: list[list[Programs]] = [[(0,)] * len(parts) for parts in recordings]
    for name in {one.name for parts in recordings for one in parts}:
        at = [(recording, number) for recording, parts in enumerate(recordings)
              for number, one in enumerate(parts) if one.name == name]  # fmt: skip
        who = _of_part([recordings[recording][number].costs for recording, number in at])
        for (recording, number), programs in zip(at, who, strict=True):
            found[recording][number] = programs
    return found


def _of_part(recordings: Sequence[Costs]) -> list[Programs]:
    """Who plays one part of each recording. One that few recordings have plays only where no other
    may."""
    programs = sorted({one for costs in recordings for who, _ in costs for one in who})
    members = [np.array([[one in who for one in programs] for who, _ in costs])
               for costs in recordings]  # fmt: skip
    likely = [_likely(np.array([cost for _, cost in costs])) for costs in recordings]
    shares = _shares(members, likely)
    found = []
    for costs, who, likeliness in zip(recordings, members, likely, strict=True):
        weights = likeliness * _commonness(who, shares)
        common = weights * ~(who & (shares <= FEW)).any(axis=1)
        found.append(costs[int((common if common.any() else weights).argmax())][0])
    return found


def _likely(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp((costs.min() - costs) / UNCERTAIN)


def _commonness(members: NDArray[np.bool_], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean share of those who play together: (n, n_programs), (n_programs,) to (n,)."""
    return members @ shares / members.sum(axis=1)


def _shares(
    members: Sequence[NDArray[np.bool_]], likely: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(n_programs,): in what share of the recordings each plays. members: of each recording,
    (n, n_programs), who plays together; likely: (n,) of these."""
    n_programs = members[0].shape[1]
    shares = np.full(n_programs, 1 / n_programs)
    for _ in range(N_STEPS):
        play = np.zeros(n_programs)
        for who, likeliness in zip(members, likely, strict=True):
            weights = likeliness * _commonness(who, shares)
            play += weights @ who / weights.sum()
        shares = play / len(members)
    return shares
