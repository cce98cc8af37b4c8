"""Cover retrieval: copies are found in any key and tempo, noise by chance alone."""

import itertools

import numpy as np
import pytest

from thirdstream.audio import SR
from thirdstream.evaluation import retrieval
from thirdstream.evaluation.metrics import ANALYSIS_SR, CHROMA_HOP, MetricError, chroma

N_FRAMES = 60  # pooled: 28 s
NAMES = "abcdefghijklmnopqrst"


def pitches_of(seed: int, n_notes: int) -> np.ndarray:
    """A melody of a major key and the roots below it, (n_notes, 2) as MIDI numbers."""
    rng = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + rng.integers(12)
    return np.stack([60 + rng.choice(scale, n_notes), 48 + rng.choice(scale, n_notes)], axis=1)


def chroma_of(seed: int, *, slower: float = 1.0) -> np.ndarray:
    """What is played of `pitches_of`, a note lasting three frames, with a recording's noise."""
    pitches = pitches_of(seed, N_FRAMES // 3)
    frames = np.full((round(N_FRAMES * slower), 12), 0.05)
    for number, frame in enumerate(frames):
        frame[pitches[min(len(pitches) - 1, int(number / 3 / slower))] % 12] += (1.0, 0.7)
    frames += 0.05 * np.random.default_rng(seed + 1000).random(frames.shape)
    return frames / np.linalg.norm(frames, axis=1, keepdims=True)


def played(seed: int, *, semitones: int = 0, note_s: float = 0.6) -> np.ndarray:
    """The same as sound, 20 notes of three harmonics."""
    n_samples, waves = round(note_s * SR), []
    t = np.arange(n_samples) / SR
    for chord in pitches_of(seed, 20) + semitones:
        hz = 440 * 2 ** ((chord - 69) / 12)
        tones = [np.sin(2 * np.pi * k * one * t) / k for one in hz for k in (1, 2, 3)]
        waves.append(np.exp(-3 * t) * np.sum(tones, axis=0))
    return (0.1 * np.concatenate(waves)).astype(np.float32)


GALLERY = {name: chroma_of(seed) for seed, name in enumerate(NAMES)}


@pytest.mark.parametrize("name", ["a", "k", "t"])
def test_a_copy_ranks_first(name: str) -> None:
    assert retrieval.rank(name, GALLERY[name], GALLERY) == 1


@pytest.mark.parametrize("semitones", range(12))
def test_a_copy_in_another_key_ranks_first_and_the_key_is_found(semitones: int) -> None:
    query = np.roll(GALLERY["c"], semitones, axis=1)
    assert retrieval.rank("c", query, GALLERY) == 1
    assert retrieval.match(query=query, candidate=GALLERY["c"]).transposition == semitones


@pytest.mark.parametrize("slower", [0.9, 1.1])
def test_a_copy_in_another_tempo_ranks_first(slower: float) -> None:
    for seed, name in enumerate(NAMES[:5]):
        assert retrieval.rank(name, chroma_of(seed, slower=slower), GALLERY) == 1


def test_a_part_of_a_piece_is_found_in_it() -> None:
    assert retrieval.rank("d", GALLERY["d"][20:45], GALLERY) == 1


@pytest.mark.parametrize("n_frames", [1, 2, 6, 17])
def test_short_recordings_are_compared_too(n_frames: int) -> None:
    gallery = {name: one[-n_frames:] for name, one in GALLERY.items()}
    place = retrieval.rank("e", gallery["e"], gallery)
    assert place == 1 or n_frames < 17
    assert retrieval.match(query=gallery["e"], candidate=GALLERY["f"]).score >= 0


def test_noise_ranks_by_chance() -> None:
    """60 ranks of 20: three standard errors are 0.085."""
    rng = np.random.default_rng(0)
    ranks = []
    for name in NAMES[:6]:
        noise = rng.random((10, N_FRAMES, 12))
        ranks += [retrieval.rank(name, one, GALLERY) for one in noise]
    found = retrieval.mean_reciprocal_rank(ranks)
    assert found == pytest.approx(retrieval.chance(len(GALLERY)), abs=0.085)


def test_silence_is_last() -> None:
    assert retrieval.rank("a", np.zeros((N_FRAMES, 12)), GALLERY) == len(GALLERY)


def test_ranks_and_chance_by_hand() -> None:
    assert retrieval.mean_reciprocal_rank([1, 2, 4]) == pytest.approx((1 + 0.5 + 0.25) / 3)
    assert retrieval.chance(1) == 1
    assert retrieval.chance(4) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_the_correlation_is_what_sums_over_frames_give() -> None:
    rng = np.random.default_rng(0)
    query, candidate = rng.random((5, 12)), rng.random((7, 12))
    found = retrieval.correlation(query, candidate)
    by_hand = {
        (delay, shift): sum(
            query[k] @ np.roll(candidate[k - delay], shift) for k in range(5) if 0 <= k - delay < 7
        )
        / np.sqrt(sum(0 <= k - delay < 7 for k in range(5)) * 5)
        for delay in range(-4, 3)  # of which 3 frames overlap, or more
        for shift in range(12)
    }
    rows = [0, 1, 2, -4, -3, -2, -1]
    for (delay, shift), value in by_hand.items():
        assert found[rows.index(delay), shift] == pytest.approx(value)
    assert found.shape == (7, 12)


def test_a_copy_scores_1_later_and_shorter_too() -> None:
    for query in (GALLERY["b"], GALLERY["b"][15:45]):
        score = retrieval.match(query=query, candidate=GALLERY["b"]).score
        assert score == pytest.approx(1, abs=0.02)


def test_what_sounds_all_the_time_tells_nothing() -> None:
    """A drone under two pieces makes them no more alike, where it makes plain chroma so."""
    drone = np.eye(12)[0] * 3
    plain, droned = (
        retrieval.match(query=GALLERY["a"] + low, candidate=GALLERY["b"] + low).score
        for low in (0, drone)
    )
    assert droned < plain + 0.1


def pooled(wave: np.ndarray) -> np.ndarray:
    return retrieval.pooled_chroma(chroma(wave, SR))


def test_from_sound_to_rank() -> None:
    gallery = {name: pooled(played(seed)) for seed, name in enumerate("abcd")}
    for semitones, note_s in itertools.product((0, 3), (0.6, 0.66)):
        query = pooled(played(1, semitones=semitones, note_s=note_s))
        assert retrieval.rank("b", query, gallery) == 1
        assert retrieval.match(query=query, candidate=gallery["b"]).transposition == semitones


def test_frames_are_half_a_second_of_unit_length_or_silent() -> None:
    wave = played(0)
    wave[: len(wave) // 2] = 0
    found = pooled(wave)
    frame_s = retrieval.POOLED * CHROMA_HOP / ANALYSIS_SR
    assert frame_s == pytest.approx(0.464, abs=1e-3)
    assert len(found) == (1 + len(wave) * ANALYSIS_SR // SR // CHROMA_HOP) // retrieval.POOLED
    lengths = np.linalg.norm(found, axis=1)
    assert lengths[-5:] == pytest.approx(1)
    assert len(pooled(wave[:3000])) >= 1


@pytest.mark.parametrize("bad", [np.zeros((0, 12)), np.ones((5, 11)), np.full((5, 12), np.nan)])
def test_what_is_no_chroma_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(MetricError, match="query: is no chroma"):
        retrieval.match(query=bad, candidate=GALLERY["a"])
