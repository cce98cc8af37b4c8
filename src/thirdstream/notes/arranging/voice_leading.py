"""Voice-leading of the four or five parts below a melody, and with it.

It is a search for the cheapest way through all chords (Viterbi): voices move little, no
two move in parallel fifths or octaves, none crosses another or leaves its range. Only where every
way breaks the first rule is it broken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.arranging.lines import during
from thirdstream.notes.metre import Metres
from thirdstream.notes.styles.entries import Instrument
from thirdstream.notes.types import Chord, Note
from thirdstream.notes.viterbi import traced

N_CANDIDATES = 80  # voicings of a chord that the search looks at
PARALLEL = 1000.0  # cost of parallel fifths or octaves
CROSSING = 300.0  # cost of a voice above the melody, where its range leaves no other way
INVERSION = 12.0  # cost of a bass that is not the one named
PERFECT = (0, 7)  # intervals modulo the octave that may not move in parallel
IS_PERFECT = np.isin(np.arange(12), PERFECT)


@dataclass(frozen=True)
class Slot:
    """A stretch with one chord; the melody's first, last and lowest pitch in it, if it sounds."""

    start: float
    length: float
    chord: Chord
    first: int | None
    last: int | None
    lowest: int | None


def slots(chords: Sequence[Chord], melody: Sequence[Note], metres: Metres) -> list[Slot]:
    """Cut chords at the bar lines, and see where the melody is meanwhile."""
    cut: list[Slot] = []
    for chord in chords:
        start = chord.start
        while start < chord.end - 1e-6:
            bar = metres.bar(start)
            bar_end = metres.line(bar + 1)
            if bar_end - start < 1e-6:
                bar_end = metres.line(bar + 2)
            end = min(chord.end, bar_end)
            sung = [note.pitch for note in during(melody, start + 1e-6, end - 1e-6)]
            ends = (sung[0], sung[-1], min(sung)) if sung else (None, None, None)
            cut.append(Slot(start, end - start, chord, *ends))
            start = end
    return cut


def lead_voices(
    stretches: Sequence[Slot], instruments: Sequence[Instrument]
) -> list[tuple[int, ...]]:
    """Pitches of the voices below the melody in every slot, highest first, the bass last.

    instruments: of these voices, in the same order.
    """
    choices = [_candidates(slot, instruments) for slot in stretches]
    costs = [
        _static_costs(slot, c, instruments) for slot, c in zip(stretches, choices, strict=True)
    ]
    total, back = costs[0], []
    for number in range(1, len(stretches)):
        step = _moves(
            (stretches[number - 1], choices[number - 1]), (stretches[number], choices[number])
        )
        through = total[:, None] + step
        back.append(through.argmin(axis=0))
        total = through.min(axis=0) + costs[number]
    path = traced(back, int(total.argmin()))
    return [tuple(c[:, at].tolist()) for c, at in zip(choices, path, strict=True)]


def _candidates(slot: Slot, instruments: Sequence[Instrument]) -> NDArray[np.int64]:
    """(n_voices, n_candidates) pitches, each voice in its range, none crossing another."""
    ceiling = slot.lowest if slot.lowest is not None else 127
    *inner, bass = instruments
    tones, basses = slot.chord.pitch_classes, _basses(slot.chord)
    lines = [[p for p in range(i.lowest, i.highest + 1) if p % 12 in tones] for i in inner]
    lows = [p for p in range(bass.lowest, bass.highest + 1) if p % 12 in basses]
    table = np.stack(np.meshgrid(*lines, lows, indexing="ij")).reshape(len(instruments), -1)
    table = table[:, (np.diff(table, axis=0) <= 0).all(axis=0)]
    below = table[:, table[0] <= ceiling]
    table = below if below.size else table
    order = np.argsort(_static_costs(slot, table, instruments), kind="stable")
    inverted = table[-1, order] % 12 != slot.chord.bass
    kept = (order[~inverted][:N_CANDIDATES], order[inverted][: N_CANDIDATES // 4])
    return table[:, np.concatenate(kept)]


def _basses(chord: Chord) -> set[int]:
    """The bass as named; a root may give way to the third, to escape parallels with the melody."""
    if chord.bass != chord.root or chord.third not in (3, 4):
        return {chord.bass}
    return {chord.bass, (chord.root + chord.third) % 12}


def _static_costs(
    slot: Slot, table: NDArray[np.int64], instruments: Sequence[Instrument]
) -> NDArray[np.float64]:
    """How good each voicing is by itself: whole, well spaced, in the middle of the ranges."""
    chord = slot.chord
    classes = (table - chord.root) % 12
    if slot.first is not None:
        first = np.full((1, table.shape[1]), (slot.first - chord.root) % 12)
        classes = np.concatenate([first, classes])
    cost = np.zeros(table.shape[1])
    for interval, missing, doubled in (
        (chord.third, 9.0, 2.0), (chord.seventh, 5.0, 6.0), (chord.fifth, 0.5, 0.5), (0, 3.0, 0.0)
    ):  # fmt: skip
        if interval in chord.intervals:
            count = (classes == interval).sum(axis=0)
            cost += missing * (count == 0) + doubled * np.maximum(count - 1, 0)
    gaps = -np.diff(table, axis=0)
    cost += 6.0 * (gaps == 0).sum(axis=0)
    cost += 0.7 * np.maximum(gaps[:-1] - 9, 0).sum(axis=0)
    cost += 0.3 * np.maximum(gaps[-1] - 16, 0)
    cost += 2.0 * ((table[-1] < 48) & (gaps[-1] < 7))  # close thirds are muddy down there
    cost += INVERSION * (table[-1] % 12 != chord.bass)
    middles = np.array([[(i.lowest + i.highest) / 2] for i in instruments])
    cost += 0.08 * np.abs(table - middles).sum(axis=0)
    if slot.lowest is not None:
        cost += 0.4 * np.maximum(slot.lowest - table[0] - 9, 0)
        cost += CROSSING * (table[0] > slot.lowest)
    return cost


def _moves(
    before: tuple[Slot, NDArray[np.int64]], after: tuple[Slot, NDArray[np.int64]]
) -> NDArray[np.float64]:
    """(n_before, n_after) costs of going from each voicing to each."""
    steps = [np.abs(new - old[:, None]) for old, new in zip(before[1], after[1], strict=True)]
    cost = np.sum([step + 0.6 * np.maximum(step - 4, 0) for step in steps[:-1]], axis=0)
    cost += 0.35 * np.maximum(steps[-1] - 7, 0)
    cost -= 0.5 * np.sum([step == 0 for step in steps[:-1]], axis=0)
    lines = [(*line, step != 0) for *line, step in zip(before[1], after[1], steps, strict=True)]
    last, first = before[0].last, after[0].first
    if last is not None and first is not None:
        moved = np.broadcast_to(last != first, cost.shape)
        lines.append((np.array([last]), np.array([first]), moved))
    for number, (a0, a1, a_moved) in enumerate(lines):
        for b0, b1, b_moved in lines[:number]:
            interval = np.abs(a0 - b0) % 12
            rows = np.flatnonzero(IS_PERFECT[interval])
            kept = interval[rows, None] == np.abs(a1 - b1) % 12
            cost[rows] += PARALLEL * (kept & a_moved[rows] & b_moved[rows])
    return cost
