"""Drift and tempo: what is stretched drifts by so much, what is late does not."""

import numpy as np
import pytest
from pytest import approx

from test_retrieval import pitches_of
from thirdstream.evaluation import timing
from thirdstream.evaluation.metrics import MetricError

SR = 22_050
DURATION_S = 20


def played(seed: int, *, stretch: float = 1.0, late_s: float = 0.0, bright: bool = False):
    """Notes on a grid of 0.4 s, some beats empty; `bright` is another timbre and attack."""
    rng = np.random.default_rng(seed)
    wave = np.zeros(DURATION_S * SR)
    pitches = pitches_of(seed, 60)
    for number, chord in enumerate(pitches):
        start = round((0.4 * number * stretch + late_s + 0.2) * SR)
        if start >= len(wave) or rng.random() < 0.2:
            continue
        t = np.arange(min(SR // 2, len(wave) - start)) / SR
        for pitch in chord:
            hz = 440 * 2 ** ((pitch - 69) / 12)
            partials = (1, 2, 3, 4, 5) if bright else (1, 2)
            envelope = np.exp(-5 * t) * np.minimum(1, t / (0.02 if bright else 0.005))
            wave[start : start + len(t)] += envelope * sum(
                np.sin(2 * np.pi * k * hz * t) / k for k in partials
            )
    return wave / np.abs(wave).max()


def test_a_recording_does_not_drift_from_itself() -> None:
    found = timing.drift(reference=played(0), estimate=played(0), sr=SR)
    assert found.drift_ms == approx(0, abs=0.1)
    assert found.lag_ms == approx(0, abs=0.1)
    assert found.agreement == approx(1)


@pytest.mark.parametrize("per_mille", [-10, -3, 1, 5, 10])
def test_what_is_stretched_drifts_by_so_much_in_any_timbre(per_mille: int) -> None:
    other = played(1, stretch=1 + per_mille / 1000, bright=True)
    found = timing.drift(reference=played(1), estimate=other, sr=SR)
    assert found.drift_ms == approx(per_mille * DURATION_S, abs=8)
    back = timing.drift(reference=other, estimate=played(1), sr=SR)
    assert back.drift_ms == approx(-per_mille * DURATION_S, abs=8)


@pytest.mark.parametrize("late_ms", [-100, 40, 150])
def test_what_is_late_is_no_drift(late_ms: int) -> None:
    found = timing.drift(reference=played(2), estimate=played(2, late_s=late_ms / 1000), sr=SR)
    assert found.lag_ms == approx(late_ms, abs=4)
    assert found.drift_ms == approx(0, abs=5)


def test_unrelated_music_and_noise_have_what_chance_gives() -> None:
    """Of another tempo. Lines go from -400 to 400 ms: a mean of some hundred."""
    pairs = [(played(seed), played(seed + 20, stretch=1.13)) for seed in range(6)]
    rng = np.random.default_rng(0)
    pairs += [(played(seed), rng.standard_normal(DURATION_S * SR)) for seed in range(6)]
    found = [timing.drift(reference=one, estimate=other, sr=SR) for one, other in pairs]
    assert np.mean([abs(one.drift_ms) for one in found]) > 80
    assert max(one.agreement for one in found) < 0.3


def test_silence_has_the_largest_drift() -> None:
    found = timing.drift(reference=played(0), estimate=np.zeros(DURATION_S * SR), sr=SR)
    assert found.drift_ms >= timing.MAX_DRIFT_MS and found.agreement == 0


def test_short_recordings_are_measured_or_refused() -> None:
    wave = played(3)[: 3 * SR]
    assert timing.drift(reference=wave, estimate=wave, sr=SR).drift_ms == approx(0, abs=0.1)
    with pytest.raises(MetricError, match=r"a drift needs 3 s \(got 2\.0\)"):
        timing.drift(reference=wave[: 2 * SR], estimate=wave[: 2 * SR], sr=SR)
    with pytest.raises(MetricError, match="cut them to one length"):
        timing.drift(reference=wave, estimate=wave[:-1], sr=SR)


def test_tempo_by_hand() -> None:
    assert timing.tempo_of([0.25, 0.75, 1.25]) == approx(120)
    assert timing.tempo_of([]) == timing.tempo_of([1.0]) == 0
    beats = np.arange(0, 20, 0.5)
    for factor, kept in ((1, 1), (0.5, 1), (2, 1), (1.03, 1), (1.06, 0), (1.5, 0), (3, 0)):
        assert timing.tempo_kept(reference=beats, estimate=beats * factor) == kept, factor
    assert timing.tempo_kept(reference=beats, estimate=[]) == 0
    assert timing.tempo_kept(reference=[], estimate=[]) == 1
    with pytest.raises(MetricError, match="must rise"):
        timing.tempo_of([1.0, 0.5])
