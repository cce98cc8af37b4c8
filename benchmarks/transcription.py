"""How well recordings are found, stage by stage, on rendered pairs whose notes are known.

usage: transcription.py PAIRS SCORES [NAME ...]

PAIRS: folder that `thirdstream arrange` made. SCORES: folder of the scores it was made of, or one
around it. Without names, all pairs. The first 40 s of each version are found. True beats and
bar lines are those of the record; the true key is the score's, as keys.json has it; true chords
what is played: the score's, in jazz with the arranger's sevenths and two-fives; true melody is what
the first track plays of the score's melody, anticipations and approach notes included
(recipes/lead.py).

Columns: F of the notes (50 ms); share of the true melody found, and the same in any octave; share
of the heard melody that is true; accuracy of chords as triads and with sevenths; F of beats and of
bar lines; metre and key right; CPU seconds a minute of sound.
"""

import glob
import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import tyro

from tables import show
from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.arranging.harmony import changes
from thirdstream.notes.io.midi import read_midi
from thirdstream.notes.io.score import read_score
from thirdstream.notes.key import Key
from thirdstream.notes.transcription.keys import KEYS
from thirdstream.notes.transcription.transcribe import Transcription, transcribe
from thirdstream.notes.types import Chord, Note, Score

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from lead import Lead, lead

SECONDS = 40
WRITTEN_KEYS = Path(__file__).parent / "keys.json"
NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
KINDS = {
    (0, 3, 7): "min", (0, 4, 7, 10): "7", (0, 3, 7, 10): "min7", (0, 4, 7, 11): "maj7",
    (0, 3, 6, 10): "hdim7", (0, 3, 6): "dim", (0, 3, 6, 9): "dim7", (0, 4, 8): "aug",
    (0, 4, 7, 9): "maj6", (0, 3, 7, 9): "min6", (0, 5, 7): "sus4",
}  # fmt: skip
COLUMNS = (
    "notes", "tune", "oct.", "prec.", "triad", "7ths", "beats", "bars", "metre", "key", "CPU",
)  # fmt: skip


def excerpt(path: Path) -> Iterator[np.ndarray]:
    wave = np.concatenate(list(audio.blocks(path)), axis=1)[:, : SECONDS * SR]
    yield (wave * audio.level_of([wave]).gain).astype(np.float32)


def label(chord: Chord) -> str:
    third = "min" if chord.is_minor else "maj"
    return f"{NAMES[chord.root]}:{KINDS.get(chord.intervals, third)}"


def chord_scores(
    found: Transcription, chords: Sequence[Chord], beat_s: float
) -> tuple[float, float]:
    """Weighted by length, in mir_eval's vocabularies of triads and of sevenths."""
    end = min(found.duration_s, chords[-1].end * beat_s)
    bounds = [(chord.start * beat_s, min(chord.end * beat_s, end)) for chord in chords]
    truth = [(bound, label(c)) for bound, c in zip(bounds, chords, strict=True)
             if bound[0] < end]  # fmt: skip
    spans, at = [], 0.0
    for chord in (*found.score.chords, None):  # where none is found, N
        if chord is None or chord.start > at:
            spans.append((at, chord.start if chord else math.inf, "N"))
        if chord:
            spans.append((chord.start, chord.end, label(chord)))
            at = chord.end
    spans[-1] = (at, at + 1, "N")
    seconds = found.timing.seconds([span[:2] for span in spans])
    intervals, labels = mir_eval.util.adjust_intervals(
        seconds, [name for _, _, name in spans],
        t_min=truth[0][0][0], t_max=truth[-1][0][1], start_label="N", end_label="N",
    )  # fmt: skip
    merged, reference, estimate = mir_eval.util.merge_labeled_intervals(
        np.array([bound for bound, _ in truth]), [name for _, name in truth], intervals, labels
    )
    lengths = mir_eval.util.intervals_to_durations(merged)
    return tuple(
        mir_eval.chord.weighted_accuracy(compare(reference, estimate), lengths)
        for compare in (mir_eval.chord.majmin, mir_eval.chord.sevenths)
    )


def true_lead(track: tuple[Note, ...], score: Score, n_beats: float) -> Lead:
    return lead(
        [note for note in track if note.start < n_beats],
        [note for note in score.melody if note.start < n_beats],
    )


def melody_scores(found: Transcription, truth: Lead, beat_s: float) -> tuple[float, float, float]:
    """Shares of the true notes that are found, as written and in any octave, and of the heard notes
    that are true or ornaments; onsets within 80 ms or, as swung eighths are written even and
    played late, a fifth of a beat."""
    ours = [(float(found.timing.seconds(n.start)), n.pitch) for n in found.score.melody]
    true = [(n.start * beat_s, n.pitch) for n in truth.melody]
    allowed = true + [(n.start * beat_s, n.pitch) for n in truth.ornaments]
    near = max(0.08, beat_s / 5)

    def share(of: list, among: list, period: int) -> float:
        hits = [any(abs(t - u) <= near and (p - q) % period == 0 for u, q in among) for t, p in of]
        return float(np.mean(hits))

    return share(true, ours, 999), share(true, ours, 12), share(ours, allowed, 12)


def note_f1(found: Transcription, tracks: list[tuple[Note, ...]], beat_s: float) -> float:
    played = [n for track in tracks for n in track if n.start * beat_s < found.duration_s]
    sides = []
    for times, notes in ((lambda b: np.asarray(b) * beat_s, played),
                         (found.timing.seconds, list(found.notes))):  # fmt: skip
        spans = times([[n.start, n.end] for n in notes])
        spans = np.maximum(spans - min(0, spans.min()), 0)
        sides += [spans, 440 * 2 ** ((np.array([n.pitch for n in notes]) - 69) / 12)]
    return mir_eval.transcription.precision_recall_f1_overlap(*sides, offset_ratio=None)[2]


def found_in(scores: Path, name: str) -> Path:
    """A score of this name, in the folder or in one within it."""
    return next(scores.rglob(glob.escape(name)), scores / name)


def true_key(record: dict[str, Any]) -> Key:
    """The score's, of keys.json, in the record's transposition."""
    keys = json.loads(WRITTEN_KEYS.read_text(encoding="utf-8"))
    keys = {plain(name): key for name, key in keys.items()}
    name = plain(record["score"])
    written = keys.get(name) or keys[re.sub(r"(-\d+)+-mxl$", "-mxl", name)]
    (key,) = (key for key in KEYS if key.name == written)
    return Key((key.tonic + record["semitones"]) % 12, key.is_minor)


def plain(name: str) -> str:
    """A file's name without what copies of the collection write otherwise: "am-i-blue-mxl"."""
    return re.sub("[^a-z0-9]+", "-", name.lower())


def measure(pairs: Path, scores: Path, name: str, style: str) -> list[float]:
    record = json.loads((pairs / "records" / f"{name}.json").read_text())
    beat_s, metre = 60 / record["beats_per_minute"], record["beats_per_bar"]
    score = read_score(found_in(scores, record["score"])).transposed(record["semitones"])
    tracks = [t.notes for t in read_midi(pairs / style / f"{name}.mid").tracks if not t.is_drums]
    wave = list(excerpt(pairs / style / f"{name}.{record['format']}"))
    start = time.process_time()
    found = transcribe(wave, title=name)
    spent = time.process_time() - start
    played = score.chords if style == "classical" else [one.chord for one in changes(score)]
    end = min(found.duration_s, score.n_beats * beat_s)
    beats, ours = np.arange(0, end, beat_s), np.array(found.timing.beats_s)
    bars, our_bars = np.arange(0, end, beat_s * metre), found.lines_s
    f_beats, f_bars = (
        mir_eval.beat.f_measure(true[true > 0.1], mine[(mine > 0.1) & (mine < end)])
        for true, mine in ((beats, ours), (bars, our_bars))
    )
    return [
        note_f1(found, tracks, beat_s),
        *melody_scores(found, true_lead(tracks[0], score, end / beat_s), beat_s),
        *chord_scores(found, played, beat_s),
        f_beats,
        f_bars,
        float(found.score.beats_per_bar == metre),
        float(found.key == true_key(record)),
        spent / found.duration_s * 60,
    ]


def show_pieces(
    measure: Callable[[Path, Path, str, str], Sequence[float]],
    columns: Sequence[str],
    pairs: Path,
    scores: Path,
    names: Sequence[str],
) -> None:
    """A table a style, of these pairs, or of all; scores: where theirs are."""
    names = names or sorted(path.stem for path in (pairs / "records").glob("*.json"))
    for style in STYLES:
        rows = [measure(pairs, scores, name, style) for name in names]
        labels = [*(name[:22] for name in names), "mean"]
        table = [
            [label, *(f"{value:.2f}" for value in row)]
            for label, row in zip(labels, [*rows, np.nanmean(rows, axis=0)], strict=True)
        ]
        show(f"{style}: the first {SECONDS} s", ["piece", *columns], table)


def main(pairs: Path, scores: Path, *names: str) -> None:
    show_pieces(measure, COLUMNS, pairs, scores, names)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
