"""Weights of the melody's salience and of struck notes: melody_weights.py PAIRS WORK

PAIRS: folder of `recipes/versions.py`; the first 60 s of each recording are used. WORK: keeps their
features. The melody is what the first track plays of the score's, with its anticipations and
approach notes. Writes notes/transcription/salience.json, and prints `AGAIN` of note_events.py.
Recordings with few true notes are left out: their melody is inaudible.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from lead import Lead, lead  # a script beside this one
from pair_features import features_of, records_of  # a script beside this one
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.io.midi import read_midi
from thirdstream.notes.transcription import note_events, salience
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.note_events import NoteEvents
from thirdstream.notes.transcription.transcriber import LOWEST
from thirdstream.notes.types import Note

NEAR_S = 0.08  # between a note that is found and the true one
FOUND = 0.3  # share of the true melody that is among the notes, from which a recording is used
N_HIDDEN = {"alone": 1, "among": 16}
SHRINK = 1e-3
EVERY = 3  # recordings of which one serves the struck notes


class Transcribed(NamedTuple):
    """A recording: its notes, what is observed of each alone, and which of them are the melody's
    (1, 0; nan where it does not matter)."""

    notes: NoteEvents
    seen: np.ndarray
    true: np.ndarray


def true_lead(pairs: Path, record: dict[str, Any], name: str, style: str, end: float) -> Lead:
    """In quarter notes, until `end` of them."""
    end = min(end, record["n_bars"] * record["beats_per_bar"])
    track = read_midi(pairs / style / f"{name}.mid").tracks[0].notes
    melody = [Note(*one) for one in record["melody"] if one[0] < end]
    return lead([note for note in track if note.start < end], melody)


def transcribed(found: FrameFeatures, true: Lead, beat_s: float) -> Transcribed | None:
    notes = note_events.clear_notes(found.posteriors, found.flux)
    right, starts = np.zeros(len(notes.pitches)), notes.intervals[:, 0]
    n_found = 0
    for one in (*true.melody, *true.ornaments):
        late = np.abs(starts - one.start * beat_s)
        places = np.flatnonzero((late < NEAR_S) & (notes.pitches == one.pitch))
        if not len(places):
            continue
        doubles = one in true.ornaments and any(
            note.pitch % 12 == one.pitch % 12 and abs(note.start - one.start) < 0.06
            for note in true.melody
        )
        right[places[late[places].argmin()]] = np.nan if doubles else 1
        n_found += not doubles
    if n_found < FOUND * max(len(true.melody), 8):
        return None
    return Transcribed(notes, salience.alone(notes, found), right)


def again(found: FrameFeatures, onsets: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Evidence (n, 5) and truth (n,) of all onsets of pitches that sound already."""
    loud = note_events.loudness(found.flux)
    rows, truth = [], []
    for pitch, (note, onset) in enumerate(
        zip(found.posteriors.notes.T, found.posteriors.onsets.T, strict=True), LOWEST
    ):
        places = note_events.onset_peaks(onset)
        before, evidence = note_events.struck(note, onset, loud, places)
        right = np.zeros(len(places))
        for start_s in [start_s for start_s, played in onsets if played == pitch]:
            late = np.abs(places / FPS - start_s)
            if late.min(initial=1) <= 0.06:
                right[late.argmin()] = 1
        rows.append(evidence[before > note_events.SOUNDING])
        truth.append(right[before > note_events.SOUNDING])
    return np.concatenate(rows), np.concatenate(truth)


def network(seen: np.ndarray, right: np.ndarray, n_hidden: int) -> dict[str, Any]:
    matters = ~np.isnan(right)
    scaler = StandardScaler().fit(seen[matters])
    inputs, right = scaler.transform(seen[matters]), right[matters]
    inputs = np.clip(inputs, -salience.FARTHEST, salience.FARTHEST)
    part: dict[str, Any] = {"mean": scaler.mean_, "deviation": scaler.scale_}
    if n_hidden > 1:
        fitted = MLPClassifier(
            (n_hidden,), early_stopping=True, alpha=SHRINK, random_state=0, max_iter=60
        ).fit(inputs, right)
        (hidden, out), (hidden_bias, bias) = fitted.coefs_, fitted.intercepts_
        part |= {"hidden": hidden, "hidden_bias": hidden_bias, "out": out[:, 0], "bias": bias[0]}
    else:  # logistic: what rectifies passes a number and its negative
        fitted = LogisticRegression(max_iter=400).fit(inputs, right)
        (line,) = fitted.coef_
        part |= {
            "hidden": np.stack([line, -line], axis=1), "hidden_bias": np.zeros(2),
            "out": np.array([1.0, -1.0]), "bias": fitted.intercept_[0],
        }  # fmt: skip
    return {name: np.round(value, 3).tolist() for name, value in part.items()}


def main(pairs: str, work: str) -> None:
    Path(work).mkdir(parents=True, exist_ok=True)
    material, struck = [], []
    for number, (name, record) in enumerate(records_of(Path(pairs)).items()):
        beat_s = 60 / record["beats_per_minute"]
        for style in STYLES:
            found = features_of(Path(pairs), Path(work), name, style)
            end = found.duration_s / beat_s
            true = true_lead(Path(pairs), record, name, style, end)
            material.append(transcribed(found, true, beat_s))
            if number % EVERY == 0 and material[-1]:
                tracks = read_midi(Path(pairs) / style / f"{name}.mid").tracks
                notes = [n for track in tracks if not track.is_drums for n in track.notes]
                struck.append(again(found, [(n.start * beat_s, n.pitch) for n in notes]))
    evidence, right = (np.concatenate(part) for part in zip(*struck, strict=True))
    fitted = LogisticRegression(C=10).fit(evidence, right)
    print("AGAIN", np.round([*fitted.intercept_, *fitted.coef_[0]], 2).tolist(), flush=True)
    material = [one for one in material if one]
    print(f"{len(material)} recordings", flush=True)
    write(material)


def write(material: list[Transcribed]) -> None:
    """Fit both networks and write them."""
    right = np.concatenate([one.true for one in material])
    seen = np.concatenate([one.seen for one in material])
    found = {"alone": network(seen, right, N_HIDDEN["alone"])}
    first = salience.Network(**{name: np.array(value) for name, value in found["alone"].items()})
    rows = [
        np.column_stack([one.seen, salience.among(one.notes, 1 / (1 + np.exp(-first(one.seen))))])
        for one in material
    ]
    found["among"] = network(np.concatenate(rows), right, N_HIDDEN["among"])
    salience.PATH.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
