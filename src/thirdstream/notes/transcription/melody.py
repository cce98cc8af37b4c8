"""The melody of a recording: one line through the notes that were transcribed.

The line is the path of most salience (dynamic programming over the notes), in which leaps and rests
cost. A note's salience is how likely it is the melody's: one that is unlikely is left out, even in
a rest.
"""

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.transcription.features import FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.salience import TOGETHER_S, log_odds
from thirdstream.notes.viterbi import chained

REACH_S = 4.0  # the longest rest within a phrase
WIDEST = 18  # semitones from which leaps cost the same
N_BEFORE = 48  # notes from which the line may come
NOTE = 1.0  # added to the logarithm of a note's odds
LEAP, REST = 0.1, 0.1  # costs of a semitone, and of a second; chosen on the validation pieces


def melody_of(notes: NoteEvents, features: FrameFeatures) -> NDArray[np.int_]:
    """Which notes are the melody, in order: indices of `notes`, none where there are none."""
    if not len(notes.pitches):
        return np.zeros(0, int)
    return line_of(notes, log_odds(notes, features))


def line_of(notes: NoteEvents, odds: NDArray[np.float64]) -> NDArray[np.int_]:
    """The line through one or more notes, of which each is the melody's with these logarithmic
    odds (n_notes,): at least the likeliest of them."""
    (starts, ends), pitches = notes.intervals.T, notes.pitches
    score, back = odds + NOTE, np.full(len(odds), -1)
    for note in range(1, len(odds)):
        first = max(0, note - N_BEFORE)
        earlier = slice(first, note)
        gap = starts[note] - starts[earlier]
        rest = np.clip(starts[note] - ends[earlier], 0, REACH_S)
        leap = np.minimum(np.abs(pitches[note] - pitches[earlier]), WIDEST)
        reached = score[earlier] - LEAP * leap - REST * rest
        reached = np.where(gap >= TOGETHER_S, reached, -np.inf)
        best = int(reached.argmax())
        if reached[best] > 0:
            back[note] = first + best
            score[note] += reached[best]
    return np.array(chained(back, int(score.argmax())))
