"""Chords and keys of posteriors that are known."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pieces import KINDS, ROOTS
from thirdstream.notes.metre import COMMON_TIME
from thirdstream.notes.transcription import chords
from thirdstream.notes.transcription.chords import ChromaSums
from thirdstream.notes.transcription.features import FPS
from thirdstream.notes.transcription.transcriber import LOWEST, Posteriors
from thirdstream.notes.types import CHORDS, Chord, Note


@pytest.mark.parametrize("kind", ["major", "minor", "dominant seventh", "minor seventh"])
def test_a_plain_chord_is_found_on_every_root(kind: str) -> None:
    intervals = CHORDS[kind]
    for root in range(12):
        sounds = np.zeros((round(8 * FPS), 88), np.float16)
        sounds[:, [48 + root + step - LOWEST for step in intervals]] = 0.7
        sounds[:, 36 + root - LOWEST] = 0.8
        chroma = chords.beat_chroma(
            ChromaSums.of(Posteriors(sounds, sounds)), np.arange(17) * FPS / 2
        )
        (found,) = chords.decode(chroma, COMMON_TIME)
        assert (found.root, found.is_minor, found.bass) == (root, 3 in intervals, root)
        assert chords.change_probabilities([chroma])[0][1:].max() < 0.2


@pytest.mark.parametrize("rows", [1, 50, 90])
def test_changes_do_not_depend_on_how_many_lists_go_side_by_side(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    rng = np.random.default_rng(0)
    lists = [rng.random((n_beats, 3, 12)) for n_beats in (40, 7, 30, 64, 2)]
    together = chords.change_probabilities(lists)
    monkeypatch.setattr(chords, "ROWS", rows)
    apart = chords.change_probabilities(lists)
    assert [len(one) for one in apart] == [40, 7, 30, 64, 2]
    for one, other in zip(apart, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@given(
    edges=st.lists(st.floats(-20, 260), min_size=2, max_size=12),
    seed=st.integers(0, 99),
)
def test_what_sounds_in_a_beat_is_the_mean_of_its_frames(edges: list[float], seed: int) -> None:
    sounds = np.random.default_rng(seed).random((200, 88)).astype(np.float16)
    at = np.sort(np.array(edges))
    found = chords.beat_chroma(ChromaSums.of(Posteriors(sounds, sounds)), at)
    fold = np.eye(12)[(np.arange(88) + LOWEST) % 12]
    above = np.arange(88) + LOWEST >= chords.ABOVE
    for beat, (start, end) in enumerate(pairwise(at)):
        first = int(np.clip(np.round(start + 3), 0, 198))
        last = int(np.clip(np.round(end), first + 1, 199))
        mean = sounds[first:last].astype(np.float64).mean(axis=0)
        assert found[beat, 0] == pytest.approx(np.log1p(5 * (mean * above) @ fold), rel=1e-4)


def test_chords_change_where_the_notes_do() -> None:
    sounds = np.zeros((round(16 * FPS), 88), np.float16)
    for number, (root, kind) in enumerate(zip(ROOTS, KINDS, strict=True)):
        span = slice(round(4 * number * FPS), round(4 * (number + 1) * FPS))
        sounds[span, [[60 + (root + step) % 12 - LOWEST] for step in kind]] = 0.7
        sounds[span, 36 + root - LOWEST] = 0.8
    chroma = chords.beat_chroma(ChromaSums.of(Posteriors(sounds, sounds)), np.arange(17) * FPS)
    found = chords.decode(chroma, COMMON_TIME)
    assert [(c.start, c.root) for c in found] == [(0, 0), (4, 9), (8, 2), (12, 7)]
    changes, some = chords.change_probabilities([chroma, chroma[:10]])
    assert set(np.flatnonzero(changes > 0.5)) == {0, 4, 8, 12}
    np.testing.assert_allclose(some, chords.change_probabilities([chroma[:10]])[0], atol=1e-5)


def test_a_chord_ends_where_nothing_speaks_for_it() -> None:
    notes = [Note(2.0, 2.0, 60, 80), Note(2.0, 1.5, 64, 80), Note(16.0, 4.0, 62, 80)]
    found = chords.with_evidence([Chord(0, 12, 0, (0, 4, 7), 0), Chord(12, 8, 2, (0, 3, 7), 2)],
                                 notes, COMMON_TIME)  # fmt: skip
    assert found == (Chord(2, 2, 0, (0, 4, 7), 0),)  # one D is no D minor


@pytest.mark.parametrize(("hole", "ends", "begins"), [(4.0, 4.0, 4.0), (6.0, 8.0, 8.0)])
def test_a_beat_of_one_pitch_class_makes_no_hole(hole: float, ends: float, begins: float) -> None:
    """On a bar line it is the next chord's, elsewhere the one's before."""
    after = hole + 1 if hole == 4 else 8.0
    played = [Chord(0, hole, 0, (0, 4, 7), 0), Chord(hole, after - hole, 2, (0, 4, 7), 2),
              Chord(after, 12 - after, 7, (0, 4, 7), 7)]  # fmt: skip
    notes = [Note(0, hole, 60), Note(0, hole, 64), Note(hole, after - hole, 50),
             Note(after, 12 - after, 55), Note(after, 12 - after, 59)]  # fmt: skip
    first, second = chords.with_evidence(played, notes, COMMON_TIME)
    assert (first.root, first.end) == (0, ends)
    assert (second.root, second.start, second.end) == (7, begins, 12.0)


def test_a_bar_without_a_chord_has_none() -> None:
    played = [Chord(0, 4, 0, (0, 4, 7), 0), Chord(4, 4, 2, (0, 4, 7), 2),
              Chord(8, 4, 7, (0, 4, 7), 7)]  # fmt: skip
    notes = [Note(0, 4, 60), Note(0, 4, 64), Note(4, 4, 50), Note(8, 4, 55), Note(8, 4, 59)]
    assert [c.start for c in chords.with_evidence(played, notes, COMMON_TIME)] == [0, 8]
