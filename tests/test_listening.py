"""Beats, chords, melody and the sheet: what is known by construction, and what has no music."""

import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music
from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.files import ThirdstreamError
from thirdstream.notes.io.sheet import chords_of_bars, symbol, write_lead_sheet, write_sheets
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import beats, chords, listening, melody
from thirdstream.notes.transcription.beats import Bars
from thirdstream.notes.transcription.listening import Heard, listen, listen_file
from thirdstream.notes.transcription.observed import FPS, Observed, observe
from thirdstream.notes.transcription.transcriber import (
    LOWEST,
    Posteriors,
    Transcriber,
    Transcription,
)
from thirdstream.notes.types import CHORDS, Chord, Note, Score, read_score


@pytest.fixture(scope="module")
def ears() -> None:
    Transcriber()


# --- a piece whose truth is known ---------------------------------------------------------------

KINDS = ((0, 4, 7), (0, 3, 7), (0, 3, 7), (0, 4, 7, 10))
ROOTS = (0, 9, 2, 7)  # of bars: C, Am, Dm, G7
TUNE = (76, 74, 72, 79, 76, 72, 69, 76, 77, 74, 69, 77, 79, 77, 74, 71)


def piece(metre: int, n_bars: int) -> tuple[list[Note], list[Note], list[Chord]]:
    """Melody on every beat, block chords on every beat but softer, a bass on bar lines."""
    tune, rest, harmony = [], [], []
    for bar in range(n_bars):
        root, kind, at = ROOTS[bar % 4], KINDS[bar % 4], float(bar * metre)
        harmony.append(Chord(at, float(metre), root, kind, root))
        rest.append(Note(at, metre * 0.9, 36 + root, 110))
        for beat in range(metre):
            tune.append(Note(at + beat, 0.9, TUNE[(4 * bar + beat) % 16], 110))
            rest += [Note(at + beat, 0.6, 48 + (root + step) % 12, 60) for step in kind]
    return tune, rest, harmony


def sounding(notes: list[Note], seconds: np.ndarray, duration_s: float) -> np.ndarray:
    """Plucked tones with four partials, (1, n_samples) of -20 dB RMS."""
    wave = np.zeros(round(duration_s * SR))
    for note, (start, end) in zip(notes, seconds, strict=True):
        t = np.arange(round((end - start + 0.1) * SR)) / SR
        hz = 440 * 2 ** ((note.pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hz * h * t) / h**1.5 for h in (1, 2, 3, 4))
        tone *= np.exp(-3 * t) * np.minimum(1, t / 0.005) * note.velocity**2 / 127**2
        at = round(start * SR)
        part = wave[at : at + len(t)]
        part += tone[: len(part)]
    return (wave * audio.level_of([wave[None]]).gain)[None].astype(np.float32)


def played(metre: int, timing: Timing, n_bars: int) -> tuple[Heard, list[Note], list[Chord]]:
    tune, rest, harmony = piece(metre, n_bars)
    notes = tune + rest
    seconds = timing.seconds([[n.start, n.end] for n in notes])
    wave = sounding(notes, seconds, float(timing.seconds(n_bars * metre)) + 0.5)
    return listen([wave], title="piece"), tune, harmony


def rubato(n_beats: int) -> Timing:
    """Beats whose length sways by a fifth."""
    gaps = 0.55 * (1 + 0.2 * np.sin(np.arange(n_beats) / 5))
    return Timing((0.0, *np.cumsum(gaps).tolist()))


@pytest.mark.parametrize(
    ("metre", "timing"),
    [(4, Timing.steady(112)), (3, Timing.steady(126)), (4, rubato(64)), (3, rubato(64))],
)
def test_beats_chords_and_melody_of_a_known_piece(ears: None, metre: int, timing: Timing) -> None:
    heard, tune, harmony = played(metre, timing, 16)
    assert heard.score.beats_per_bar == metre
    beats_s = timing.seconds(np.arange(2, 16 * metre - 1))
    nearest = np.abs(beats_s[:, None] - np.array(heard.timing.beats_s)).min(axis=1)
    assert (nearest < 0.06).mean() > 0.9
    lines_s = timing.seconds(np.arange(1, 16) * metre)
    ours = np.array(heard.timing.beats_s[::metre])
    assert (np.abs(lines_s[:, None] - ours).min(axis=1) < 0.1).mean() > 0.9
    middles = [timing.seconds((c.start + c.end) / 2) for c in harmony]
    found = [heard.score.chord_at(float(heard.timing.beats(at))) for at in middles]
    roots = [a.root == b.root for a, b in zip(found, harmony, strict=True)]
    assert np.mean(roots) > 0.8
    line = [(float(heard.timing.seconds(n.start)), n.pitch) for n in heard.score.melody]
    hits = [
        any(abs(at - float(timing.seconds(n.start))) < 0.1 and p == n.pitch for at, p in line)
        for n in tune
    ]
    assert np.mean(hits) > 0.8
    assert (heard.key, heard.is_minor) == (0, False)


def test_the_notes_follow_the_loudness(ears: None) -> None:
    notes = [Note(float(k), 0.8, 60 + k % 5, 30 if k < 12 else 120) for k in range(24)]
    timing = Timing.steady(100)
    wave = sounding(notes, timing.seconds([[n.start, n.end] for n in notes]), 15.0)
    heard = listen([wave])
    half = float(heard.timing.beats(12 * 0.6 - 0.1))
    soft, loud = (
        np.mean([n.velocity for n in heard.notes if (n.start > half) == later])
        for later in (False, True)
    )
    assert loud > 1.5 * soft


# --- what is no music ---------------------------------------------------------------------------


def well_formed(heard: Heard) -> None:
    beats_s, score = np.array(heard.timing.beats_s), heard.score
    assert beats_s[0] <= 0
    assert beats_s[-1] >= heard.duration_s
    assert (len(beats_s) - 1) % score.beats_per_bar == 0
    assert score.melody
    for chord in score.chords:
        assert 0 <= chord.start < chord.end <= len(beats_s) - 1
    for one, after in pairwise(score.chords):
        assert one.end <= after.start
    for one, after in pairwise(score.melody):
        assert one.end <= after.start + 1e-6
    for note in (*score.melody, *heard.notes):
        assert note.start >= 0
        assert note.length > 0
        assert 1 <= note.velocity <= 127
    assert score.voices == ()


def noise(n_samples: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(n_samples)


def click(n_samples: int) -> np.ndarray:
    wave = np.zeros(n_samples)
    wave[n_samples // 2] = 1
    return wave


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(5 * SR),
        noise(8 * SR),
        click(6 * SR),
        np.ones(1),
        music(0, 2),
        music(0, 400),
        music(0, SR),
        music(0, 2 * SR),
        music(1, 9 * SR),
        np.sin(2 * np.pi * 440 * np.arange(12 * SR) / SR),
        noise(6 * SR) * (1 + np.sin(2 * np.pi * 4 * np.arange(6 * SR) / SR)),
    ],
)
def test_anything_is_either_heard_or_refused_in_words(ears: None, wave: np.ndarray) -> None:
    blocks = [(0.1 * wave / max(np.sqrt((wave**2).mean()), 1e-9))[None].astype(np.float32)]
    try:
        well_formed(listen(blocks))
    except ThirdstreamError as error:
        assert "no notes are heard" in str(error)


def test_silence_and_clicks_have_no_notes(ears: None, tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError, match="no notes are heard"):
        listen([np.zeros((1, 5 * SR), np.float32)])
    sf.write(tmp_path / "silent.wav", np.zeros(SR), SR)
    with pytest.raises(ThirdstreamError, match=r"silent\.wav: is silent"):
        listen_file(tmp_path / "silent.wav")


def applause(n_samples: int) -> np.ndarray:
    """300 claps a second: short bursts of noise, each hand with a pitch of its own."""
    rng = np.random.default_rng(1)
    wave, t = np.zeros(n_samples + SR), np.arange(SR // 50) / SR
    for start in (rng.random(n_samples * 300 // SR) * n_samples).astype(int):
        burst = rng.standard_normal(len(t)) * np.exp(-t / 0.003) * rng.random()
        hand = np.sin(2 * np.pi * rng.uniform(700, 2500) * t) * np.exp(-t / 0.002) * rng.random()
        wave[start : start + len(t)] += burst + 0.5 * hand
    return wave[:n_samples] / wave.std()


@pytest.mark.parametrize("sound", [np.zeros, applause, noise])
@pytest.mark.parametrize("level_db", [-14, -26])
def test_before_and_after_the_music_there_is_none(
    ears: None, sound: Callable[[int], np.ndarray], level_db: float
) -> None:
    """No notes, and no chords, in silence, applause or noise around a piece of -20 dB."""
    tune, rest, _ = piece(4, 8)
    seconds = Timing.steady(120).seconds([[n.start, n.end] for n in tune + rest])
    around = sound(8 * SR)
    around = around / max(float(np.std(around)), 1e-9) * 10 ** (level_db / 20)
    wave = np.concatenate([around, sounding(tune + rest, seconds, 16.2)[0], around])
    wave = wave * audio.level_of([wave[None]]).gain
    heard = listen([wave[None].astype(np.float32)])
    onsets = heard.timing.seconds([note.start for note in heard.notes])
    assert ((onsets < 7.9) | (onsets > 24.3)).sum() <= 2
    assert len(onsets) > 100
    spans = heard.timing.seconds([[c.start, c.start + c.length] for c in heard.score.chords])
    assert spans.min() == pytest.approx(8, abs=0.6)
    assert spans.max() == pytest.approx(24, abs=0.6)
    assert [(c.root, c.intervals[:3]) for c in heard.score.chords[:4]] == [
        (root, kind[:3]) for root, kind in zip(ROOTS, KINDS, strict=True)
    ]


@pytest.mark.parametrize("pitch", [50, 62, 74])
def test_one_pitch_is_no_chord(ears: None, pitch: int) -> None:
    t = np.arange(8 * SR) / SR
    hz = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * hz * h * t) / h**1.2 for h in range(1, 7))
    wave = wave * np.minimum(1, t / 0.05) * np.minimum(1, (8 - t) / 0.3)
    heard = listen([(wave * audio.level_of([wave[None]]).gain)[None].astype(np.float32)])
    assert heard.score.chords == ()
    assert {note.pitch for note in heard.notes} == {pitch}
    assert heard.key == pitch % 12


def test_a_chord_ends_where_nothing_speaks_for_it() -> None:
    notes = [Note(2.0, 2.0, 60, 80), Note(2.0, 1.5, 64, 80), Note(16.0, 4.0, 62, 80)]
    found = chords.with_evidence([Chord(0, 12, 0, (0, 4, 7), 0), Chord(12, 8, 2, (0, 3, 7), 2)],
                                 notes, 4.0)  # fmt: skip
    assert found == (Chord(2, 2, 0, (0, 4, 7), 0),)  # one D is no D minor


def test_blocks_and_channels_make_no_difference(ears: None) -> None:
    wave = music(3, 6 * SR)
    cut = [part[None].repeat(2, 0) for part in np.split(wave, [1, 5_000, 5_001, 100_000])]
    one, other = observe([wave[None]]), observe(cut)
    assert one.n_frames == other.n_frames
    np.testing.assert_allclose(one.posteriors.sounds, other.posteriors.sounds, atol=2e-3)
    np.testing.assert_allclose(one.flux, other.flux, atol=1e-4)


# --- the stages by themselves -------------------------------------------------------------------


def observed(n_frames: int, onsets: np.ndarray) -> Observed:
    flux = np.zeros(n_frames, np.float32)
    flux[np.round(onsets).astype(int)] = 1
    empty = np.zeros((n_frames, 88), np.float16)
    return Observed(Posteriors(empty, empty), empty, flux, flux, flux, n_frames / FPS)


@pytest.mark.parametrize("tempo", [66, 90, 118, 150, 176])
def test_clicks_are_the_beats(tempo: int) -> None:
    onsets = np.arange(20, 30 * FPS, 60 / tempo * FPS)
    strength = beats.onset_strength(observed(round(30 * FPS), onsets))
    periods = beats.tempo_path(beats.tempogram(strength))
    ratio = np.median(periods) * tempo / 60
    assert np.abs(np.log2(ratio) - np.round(np.log2(ratio))) < 0.05
    found = beats.track(strength, np.full(len(strength), 60 / tempo * FPS))
    assert np.abs(found[:, None] - onsets).min(axis=1).max() <= 1
    assert abs(len(found) - len(onsets)) <= 1


@pytest.mark.parametrize("silence_s", range(8, 40))
def test_silence_after_the_clicks_takes_no_beat_away(silence_s: int) -> None:
    """A running mean over it must not dip below 0, whatever rounding does to its sum."""
    clicks = np.random.default_rng(silence_s).random(round(20 * FPS)) ** 8
    n_frames = round((20 + silence_s) * FPS)
    music = observed(n_frames, np.array([], int))
    music.flux[: len(clicks)] = clicks
    strength = beats.onset_strength(music)
    assert np.isfinite(strength).all()
    assert np.isfinite(beats.tempogram(strength)).all()


@given(
    metre=st.sampled_from([3, 4]),
    phase=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_bar_lines_are_where_the_accents_are(metre: int, phase: int, seed: int) -> None:
    places = (np.arange(48) - phase) % metre
    accents = 2.0 * (places == 0) + 0.1 * np.random.default_rng(seed).standard_normal(48)
    accents -= accents.mean()
    score, path = beats.bar_path(accents, metre)
    np.testing.assert_array_equal(path, places)
    assert score > beats.bar_path(accents, 7 - metre)[0]


def test_a_lost_beat_costs_one_bar_only() -> None:
    places = np.array([0, 1, 2, 3] * 6 + [0, 1, 2] + [0, 1, 2, 3] * 6)
    _, path = beats.bar_path(4.0 * (places == 0) - 1.0, 4)
    np.testing.assert_array_equal(path == 0, places == 0)
    found = beats.even_bars(np.arange(len(places), dtype=float), path, 4)
    assert len(found) % 4 == 0
    assert (np.diff(found) > 0).all()
    assert set(np.arange(27, 51, 4)) <= set(found[::4])


@settings(max_examples=60)
@given(
    start=st.floats(-3, 9),
    beat_s=st.floats(0.2, 1.5),
    n_beats=st.integers(2, 40),
    metre=st.sampled_from([3, 4]),
    rest_s=st.floats(0, 20),
)
def test_the_bars_cover_the_recording(
    start: float, beat_s: float, n_beats: int, metre: int, rest_s: float
) -> None:
    given_s = start + beat_s * np.arange(n_beats)
    duration_s = max(given_s[-1], 0.1) + rest_s
    found = beats.covering(Bars(given_s, metre), duration_s)
    assert found.beats_s[0] <= 0
    assert found.beats_s[-1] >= duration_s - 1e-9
    assert (len(found.beats_s) - 1) % metre == 0
    assert (np.diff(found.beats_s) > 0).all()
    moved = 0 < start < beat_s / 4
    assert np.abs(found.beats_s[:, None] - given_s[moved:]).min(axis=0).max() < 1e-6


@pytest.mark.parametrize("kind", ["major", "minor", "dominant seventh", "minor seventh"])
def test_a_plain_chord_is_heard_as_itself_on_every_root(kind: str) -> None:
    intervals = CHORDS[kind]
    for root in range(12):
        sounds = np.zeros((round(8 * FPS), 88), np.float16)
        sounds[:, [48 + root + step - LOWEST for step in intervals]] = 0.7
        sounds[:, 36 + root - LOWEST] = 0.8
        chroma = chords.beat_chroma(Posteriors(sounds, sounds), np.arange(17) * FPS / 2)
        (found,) = chords.decode(chroma, 4)
        assert (found.root, found.is_minor, found.bass) == (root, 3 in intervals, root)
        assert chords.change_probability(chroma)[1:].max() < 0.2


@given(
    edges=st.lists(st.floats(-20, 260), min_size=2, max_size=12),
    seed=st.integers(0, 99),
)
def test_what_sounds_in_a_beat_is_the_mean_of_its_frames(edges: list[float], seed: int) -> None:
    sounds = np.random.default_rng(seed).random((200, 88)).astype(np.float16)
    at = np.sort(np.array(edges))
    found = chords.beat_chroma(Posteriors(sounds, sounds), at)
    fold = np.eye(12)[(np.arange(88) + LOWEST) % 12]
    above = np.arange(88) + LOWEST >= chords.ABOVE
    for beat, (start, end) in enumerate(pairwise(at)):
        first = int(np.clip(np.round(start + 3), 0, 198))
        last = int(np.clip(np.round(end), first + 1, 199))
        mean = sounds[first:last].astype(np.float64).mean(axis=0)
        assert found[beat, 0] == pytest.approx(np.log1p(5 * (mean * above) @ fold), rel=1e-4)


def test_off_beats_are_not_taken_for_beats(ears: None) -> None:
    # As in a bossa nova: even eighths, the loud ones off the beat; bass and harmony tell the beats.
    notes = []
    for bar in range(16):
        root, kind = ROOTS[bar % 4], KINDS[bar % 4]
        for beat in range(4):
            at = float(4 * bar + beat)
            notes.append(Note(at, 0.45, 60 + (root + kind[beat % 3]) % 12, 60))
            notes += [Note(at + 0.5, 0.4, 60 + (root + step) % 12, 100) for step in kind]
        notes += [Note(4.0 * bar, 1.9, 36 + root, 110), Note(4.0 * bar + 2, 1.9, 36 + root, 110)]
    timing = Timing.steady(120)
    heard = listen([sounding(notes, timing.seconds([[n.start, n.end] for n in notes]), 32.5)])
    ours = np.array(heard.timing.beats_s)
    beats_s = timing.seconds(np.arange(4, 60))
    assert (np.abs(beats_s[:, None] - ours).min(axis=1) < 0.06).mean() > 0.9


def test_chords_change_where_the_notes_do() -> None:
    sounds = np.zeros((round(16 * FPS), 88), np.float16)
    for number, (root, kind) in enumerate(zip(ROOTS, KINDS, strict=True)):
        span = slice(round(4 * number * FPS), round(4 * (number + 1) * FPS))
        sounds[span, [[60 + (root + step) % 12 - LOWEST] for step in kind]] = 0.7
        sounds[span, 36 + root - LOWEST] = 0.8
    chroma = chords.beat_chroma(Posteriors(sounds, sounds), np.arange(17) * FPS)
    found = chords.decode(chroma, 4)
    assert [(c.start, c.root) for c in found] == [(0, 0), (4, 9), (8, 2), (12, 7)]
    changes = chords.change_probability(chroma)
    assert set(np.flatnonzero(changes > 0.5)) == {0, 4, 8, 12}


@pytest.mark.parametrize(("tonic", "is_minor"), [(0, False), (7, False), (9, True), (2, True)])
def test_the_key_of_a_cadence(tonic: int, is_minor: bool) -> None:
    home = (0, 3, 7) if is_minor else (0, 4, 7)
    steps = [(0, home), (5, home), (7, (0, 4, 7, 10)), (0, home)]
    harmony = [
        Chord(4.0 * k, 4.0, (tonic + step) % 12, kind, (tonic + step) % 12)
        for k, (step, kind) in enumerate(steps)
    ]
    tune = [Note(4.0 * k, 4.0, 60 + (tonic + step) % 12) for k, (step, _) in enumerate(steps)]
    assert chords.key_of(harmony, tune) == (tonic, is_minor)


def test_the_line_stays_on_top_and_leaves_the_bass_alone() -> None:
    rows = [
        (0.5 * k, 0.5 * k + 0.45, pitch) for k in range(8) for pitch in (40, 60, 64, 76 - k % 3)
    ]
    rows.sort()
    found = np.array(rows)
    notes = Transcription(found[:, :2], found[:, 2], np.full(len(rows), 0.7))
    empty = np.full((round(5 * FPS), 88), 0.7, np.float16)
    flat = np.ones(len(empty), np.float32)
    seen = Observed(Posteriors(empty, empty), empty, flat, flat, flat, 5.0)
    line = melody.melody_of(notes, seen)
    assert notes.pitches[line].tolist() == [76 - k % 3 for k in range(8)]


@given(swing=st.floats(0.58, 0.7))
def test_swung_eighths_are_written_even(swing: float) -> None:
    timing = Timing.steady(120)
    starts = [beat + phase for beat in range(16) for phase in (0.0, swing)]
    notes = [Note(start, 0.3, 60) for start in starts]
    line = listening.quantised(notes, notes, timing)
    assert [note.start for note in line] == [k / 2 for k in range(32)]


def test_triplets_stay_triplets() -> None:
    starts = [beat + phase / 3 for beat in range(8) for phase in range(3)]
    notes = [Note(start, 0.3, 60) for start in starts]
    line = listening.quantised(notes, notes, Timing.steady(80))
    np.testing.assert_allclose([note.start for note in line], starts, atol=1e-9)


# --- on paper -----------------------------------------------------------------------------------


def lead_sheet() -> Score:
    tune = [
        *(Note(2 + k / 2, 0.5, 60 + k) for k in range(4)),
        *(Note(4 + k / 3, 1 / 3, 67 + k) for k in range(3)),
        Note(5.25, 0.5, 70),
        Note(5.75, 3.25, 72),
        Note(9 + 1 / 3, 2 / 3, 74),
        Note(10.5, 0.5 + 1 / 3, 75),
        Note(11 + 1 / 3, 2 + 2 / 3, 61),
    ]
    kinds = list(CHORDS.values())
    harmony = tuple(
        Chord(2.0 * k if k < 7 else 13.0, 2.0 if k < 6 else 1.0, (5 * k + 1) % 12, kind,
              (5 * k + 1 + kind[k % len(kind)]) % 12)
        for k, kind in enumerate(kinds)
    )  # fmt: skip
    return Score("A sheet", tuple(tune), harmony, 4.0, beats_per_minute=96.0)


def test_a_lead_sheet_is_read_as_it_was_written(tmp_path: Path) -> None:
    score = lead_sheet()
    write_lead_sheet(tmp_path / "sheet.musicxml", score)
    again = read_score(tmp_path / "sheet.musicxml")
    rounded = [
        [(round(n.start, 4), round(n.length, 4), n.pitch) for n in one.melody]
        for one in (score, again)
    ]
    assert rounded[0] == rounded[1]
    harmonies = [
        [(c.start, c.root, c.intervals, c.bass) for c in one.chords] for one in (score, again)
    ]
    assert harmonies[0] == harmonies[1]
    assert (again.beats_per_bar, again.title) == (4.0, "A sheet")


@pytest.mark.parametrize(
    ("chord", "text"),
    [
        (Chord(0, 4, 0, (0, 4, 7), 0), "C"),
        (Chord(0, 4, 10, (0, 3, 7, 10), 1), "Bbm7/Db"),
        (Chord(0, 4, 6, (0, 3, 6, 10), 6), "F#m7b5"),
    ],
)
def test_symbols(chord: Chord, text: str) -> None:
    assert symbol(chord) == text


def test_sheets_are_whole_and_kept(tmp_path: Path) -> None:
    import mido

    score = lead_sheet()
    timing = rubato(16)
    heard = Heard(score, timing, score.melody, 0, False, float(timing.seconds(16)))
    paths = write_sheets(heard, tmp_path, "a.b")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    assert {p.suffix for p in paths} == {".mid", ".musicxml", ".png", ".json"}
    with pytest.raises(ThirdstreamError, match=r"a\.b\.mid: exists already; add --force"):
        write_sheets(heard, tmp_path, "a.b")
    write_sheets(heard, tmp_path, "a.b", force=True)
    now, starts = 0.0, []
    for message in mido.MidiFile(tmp_path / "a.b.mid"):
        now += message.time
        if message.type == "note_on" and message.velocity:
            starts.append(now)
    expected = timing.seconds([n.start for n in score.melody])
    np.testing.assert_allclose(starts, expected, atol=0.002)


def test_of_sheets_that_fail_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise ValueError("music21 fails")

    score = lead_sheet()
    heard = Heard(score, rubato(16), score.melody, 0, False, 8.0)
    monkeypatch.setattr("thirdstream.notes.io.sheet.write_lead_sheet", broken)
    with pytest.raises(ValueError, match="music21 fails"):
        write_sheets(heard, tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_silence_in_a_lead_sheet_has_no_chord(tmp_path: Path) -> None:
    triad = (0, 4, 7)
    score = Score("gap", tuple(Note(float(k), 1.0, 60 + k, 80) for k in range(12)),
                  (Chord(4, 2, 0, triad, 0), Chord(8, 4, 7, triad, 7)), 4.0)  # fmt: skip
    assert chords_of_bars(score) == ("N.C.", "C N.C.", "G")
    write_lead_sheet(tmp_path / "a.musicxml", score)
    assert (tmp_path / "a.musicxml").read_text().count("<kind") == 4


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text exist on Linux alone")
def test_awkward_names_in_a_folder_harm_no_others(
    ears: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune, rest, _ = piece(4, 4)
    seconds = Timing.steady(120).seconds([[n.start, n.end] for n in tune + rest])
    wave = sounding(tune + rest, seconds, 8.2)[0]
    songs = tmp_path / "songs"
    songs.mkdir()
    names = [b"a.wav", b"b" * 248 + b".wav", b"c$x^{.wav", b"caf\xe9.wav", b"d\x1b[31m.wav"]
    for name in names:
        sf.write(songs / "one.wav", wave, SR)
        (songs / "one.wav").rename(songs / os.fsdecode(name))
    with pytest.raises(SystemExit) as stop:
        main.main(["listen", str(songs), "--out", str(tmp_path / "out")])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "shorten the name" in said and "1 of 5 recordings could not" in said
    made = [name.decode("latin-1").rpartition(".")[0] for name in names if len(name) < 99]
    found = {os.fsencode(path.name).decode("latin-1") for path in (tmp_path / "out").iterdir()}
    endings = (".mid", ".musicxml", ".png", ".json")
    assert found == {name + ending for name in made for ending in endings}
    for path in (tmp_path / "out").glob("*.musicxml"):
        assert len(read_score(path).melody) > 6


def test_the_command(ears: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune, rest, _ = piece(4, 6)
    seconds = Timing.steady(120).seconds([[n.start, n.end] for n in tune + rest])
    sf.write(tmp_path / "song.wav", sounding(tune + rest, seconds, 12.5)[0], SR)
    (tmp_path / "text.wav").write_text("no music")
    for force in ([], ["--force"]):
        command = ["listen", str(tmp_path / "song.wav"), str(tmp_path / "text.wav")]
        with pytest.raises(SystemExit) as stop:
            main.main([*command, "--out", str(tmp_path / "out"), *force])
        assert stop.value.code == 1
        assert "text.wav: is not audio" in capsys.readouterr().err
    again = read_score(tmp_path / "out" / "song.musicxml")
    assert len(again.melody) > 12
