"""Jazz harmony: sevenths on every chord, and ii-V where a dominant resolves.

Changes are moved to whole beats, since the rhythm section thinks in beats.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from thirdstream.notes.arranging.lines import during
from thirdstream.notes.types import Chord, Note, Score, without_gaps

DORIAN = frozenset([0, 2, 3, 5, 7, 9, 10])
MIXOLYDIAN_SHARP_11 = frozenset([0, 2, 4, 6, 7, 9, 10, 11])  # with the natural seventh too
LOCRIAN = frozenset([0, 1, 3, 5, 6, 8, 10, 2])  # with its natural ninth too


@dataclass(frozen=True)
class Change:
    """A chord on whole beats; to_minor: it is a dominant that resolves to a minor chord."""

    chord: Chord
    to_minor: bool = False


def scale_of(chord: Chord) -> set[int]:
    """Pitch classes that suit a chord: its notes, filled up from the likeliest scale."""
    if chord.is_minor:
        base = {0, 2, 3, 5, 7, 9, 10} if chord.fifth == 7 else {0, 2, 3, 5, 6, 8, 10}
    else:
        base = {0, 2, 4, 5, 7, 9, 10 if 10 in chord.intervals else 11}
    wrong = {7} if chord.fifth in (6, 8) else set()
    return {(chord.root + step) % 12 for step in (base - wrong) | set(chord.intervals)}


def changes(score: Score) -> tuple[Change, ...]:
    """The chords a jazz group plays for a score: with sevenths, two-fives, and on whole beats."""
    end = score.n_beats
    rounded = [replace(c, start=float(math.floor(c.start + 0.5))) for c in score.chords]
    rounded = [chord for chord in rounded if chord.start < end]
    first = replace(score.chords[0], start=0.0)  # the pickup has the first chord too
    plain = without_gaps([first, *rounded[1:]], end)
    chords = without_gaps(with_sevenths(plain, score.melody), end)
    split: list[Chord] = []
    for chord, after in zip(chords, [*chords[1:], None], strict=True):
        split += _two_five(chord, after, score)
    final = without_gaps(split, end)
    return tuple(
        Change(chord, chord.is_dominant and _resolves(chord, after) and _is_minor(after))
        for chord, after in zip(final, [*final[1:], None], strict=True)
    )


def _is_minor(chord: Chord | None) -> bool:
    return chord is not None and chord.is_minor


def _resolves(chord: Chord, after: Chord | None) -> bool:
    """Whether the root falls by a fifth."""
    return after is not None and (chord.root - after.root) % 12 == 7


def with_sevenths(chords: Sequence[Chord], melody: Sequence[Note]) -> list[Chord]:
    """Triads get the seventh that suits: minor before a falling fifth, else major, or the sixth."""
    result = []
    for chord, after in zip(chords, [*chords[1:], None], strict=True):
        if chord.seventh is not None:
            result.append(chord)
            continue
        sounding = during(melody, chord.start, chord.end)
        sung = {(note.pitch - chord.root) % 12 for note in sounding}
        intervals = tuple(sorted({*chord.intervals, _seventh_for(chord, after, sung)}))
        result.append(replace(chord, intervals=intervals))
    return result


def _seventh_for(chord: Chord, after: Chord | None, sung: set[int]) -> int:
    if chord.fifth == 6 and chord.third == 3:
        return 9
    if chord.is_minor or chord.third in (5, 2):
        return 10
    if _resolves(chord, after) and 11 not in sung:
        return 10
    if 10 in sung and 11 not in sung:
        return 10
    return 9 if 0 in sung and 11 not in sung else 11


def _two_five(chord: Chord, after: Chord | None, score: Score) -> list[Chord]:
    """A dominant of two beats or more becomes ii-V, where the melody agrees with the ii."""
    half = float(math.floor(chord.length / 2))
    plain = set(chord.intervals) <= {0, 2, 4, 5, 7, 9, 10} and chord.bass == chord.root
    if not (chord.is_dominant and plain and half >= 1 and _resolves(chord, after)):
        return [chord]
    minor = _is_minor(after)
    two = (chord.root + 7) % 12
    intervals = (0, 3, 6, 10) if minor else (0, 3, 7, 10)
    scale = LOCRIAN if minor else DORIAN
    sounding = during(score.melody, chord.start + 1e-6, chord.start + half - 1e-6)
    sung = [(note.pitch - two) % 12 for note in sounding]
    if not all(interval in scale for interval in sung):
        return [chord]
    five = replace(chord, start=chord.start + half, length=chord.length - half)
    return [Chord(chord.start, half, two, intervals, two), five]


def reharmonised(score: Score, share: float, *, tritone: bool) -> tuple[Chord, ...]:
    """Replace a share (0 to 1) of the chords where the melody agrees; the first and last stay.

    A chord that is no dominant gives way to the one a third away that shares two notes with it;
    with `tritone`, a dominant that resolves to the one a tritone away.
    """
    result = list(score.chords)
    for number, (chord, after) in enumerate(zip(result[1:-1], score.chords[2:], strict=True), 1):
        if number * 7 % 10 >= 10 * share or chord.third not in (3, 4) or chord.fifth != 7:
            continue
        if chord.is_dominant:
            root, intervals = (chord.root + 6) % 12, chord.intervals
            if not tritone or not _resolves(chord, after):
                continue
        else:
            minor = chord.is_minor
            root = (chord.root + (3 if minor else 9)) % 12
            intervals = (0, 4, 7) if minor else (0, 3, 7)
        scale = DORIAN if 3 in intervals else MIXOLYDIAN_SHARP_11
        sounding = during(score.melody, chord.start + 1e-6, chord.end - 1e-6)
        if all((note.pitch - root) % 12 in scale for note in sounding):
            result[number] = replace(chord, root=root, intervals=intervals, bass=root)
    return tuple(result)
