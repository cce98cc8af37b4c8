"""The baselines of the bundled results, by what they must score in every metric that there is.

Each metric has a row that is perfect and rows that are chance; test_metrics.py and its neighbours
have the same by hand, on sounds that are made for it.
"""

from collections.abc import Callable

import pytest
from pytest import approx

from thirdstream.evaluation.measure import MELODY_METRICS, METRICS
from thirdstream.report.results import benchmark_results

Rows = dict[str, float]  # of one metric and direction, by baseline
CHANCE = ("copy-target", "noise")  # rows without the piece


def whole(most: float, best: float = 1.0) -> Callable[[Rows], bool]:
    """The original has all of itself, what is without the piece at most so much."""
    return lambda of: of["copy-content"] == approx(best) and all(of[one] < most for one in CHANCE)


def of_truth(most: float) -> Callable[[Rows], bool]:
    """The original has far more than chance, if not all: even its own sound is misheard."""
    return lambda of: of["copy-content"] > 2 * most and all(of[one] < most for one in CHANCE)


def far(least: float, best: float = 0.0) -> Callable[[Rows], bool]:
    """The original is not far from itself, what is without the piece is."""
    return lambda of: of["copy-content"] == approx(best) and all(of[one] > least for one in CHANCE)


def of_style(of: Rows) -> bool:
    """What is of the target style scores most."""
    return of["copy-target"] > 0.5 and max(of["copy-content"], of["noise"]) < 0.25


def near_target(of: Rows) -> bool:
    """Recordings of the target are nearest to it."""
    return of["copy-target"] < min(of["copy-content"], of["noise"])


def nothing(of: Rows) -> bool:
    """No baseline has any of it."""
    return all(value == approx(0, abs=0.005) for value in of.values())


CORNERS: dict[str, Callable[[Rows], bool]] = {
    "chroma_cosine": whole(0.9),
    "pitch_jaccard_distance": far(0.9),
    **dict.fromkeys(("note_precision", "note_recall", "note_f1"), whole(0.1)),
    "true_note_f1": of_truth(0.1),
    "melody_recall": of_truth(0.3),
    **dict.fromkeys(MELODY_METRICS, whole(0.5)),
    "chord_root": whole(0.4),
    "chord_majmin": whole(0.4),
    "true_chord_root": of_truth(0.3),
    "true_chord_majmin": of_truth(0.3),
    "key_score": whole(0.4),
    "cover_mrr": whole(0.2),
    "cover_hit_at_1": whole(0.1),
    "drift_ms": far(40),
    "bars_kept": of_truth(0.2),
    "tempo_kept": whole(0.5),
    "beat_f_measure": whole(0.5),
    **dict.fromkeys(
        ("target_style_rate", "target_style_rate_vgg", "target_style_rate_big",
         "target_style_rate_probe"), of_style,
    ),
    "agreement": lambda of: of["noise"] > 0.8 and of["copy-content"] > 0.8,  # none accepts them
    "target_tag": lambda of: of["copy-target"] > 0.25 > max(of["copy-content"], of["noise"]),
    "source_tag": lambda of: of["copy-content"] > 0.25 > max(of["copy-target"], of["noise"]),
    "tag_difference": lambda of: (
        of["copy-content"] < -0.2 < 0.2 < of["copy-target"] and abs(of["noise"]) < 0.1
    ),
    **dict.fromkeys(("timbre_distance_mfcc", "kad", "fad", "spectral_balance_db"), near_target),
    "mel_consistency": lambda of: 0 < of["resynthesis"] < 0.2,
    "reconstruction_log_spectral_distance_db": lambda of: 0 < of["resynthesis"] < 15,
    "reconstruction_multi_resolution_stft": lambda of: 0 < of["resynthesis"] < 2,
    "loudness_range_lu": lambda of: of["noise"] < 0.2 < of["copy-content"],
    "noise_floor_db": lambda of: of["noise"] == approx(0, abs=1) and of["copy-content"] < -15,
    "attack_ms": lambda of: "noise" not in of and 1 < of["copy-content"] < 100,
    **dict.fromkeys(("clipping_share", "dc_offset", "silence_share"), nothing),
    "large_leap_share": lambda of: of["noise"] > 0.5 > of["copy-content"],
    "repetition": lambda of: of["noise"] < 0.02 < of["copy-content"],
    "beat_dissonance": lambda of: of["noise"] > 0.45 > of["copy-content"],
}  # fmt: skip
OF_MODELS = {"eq1_mel_error", "speed_audio_s_per_s", "peak_memory_mb"}  # no baseline has them
ASKED = {"target_style_rate_big", "target_style_rate_probe"}  # by those who have their files


def test_every_metric_has_corners() -> None:
    assert CORNERS.keys() | OF_MODELS == METRICS.keys() and not OF_MODELS & CORNERS.keys()


@pytest.mark.parametrize("direction", ["classical_to_jazz", "jazz_to_classical"])
@pytest.mark.parametrize("metric", CORNERS)
def test_baselines_of_the_bundled_results_score_what_they_must(metric: str, direction: str) -> None:
    found = benchmark_results()
    baselines = [name for name, one in found.systems.items() if one.kind == "baseline"]
    rows = {name: found.scores[name][direction][metric].mean for name in baselines
            if metric in found.scores[name][direction]}  # fmt: skip
    if rows:
        assert CORNERS[metric](rows), rows
    else:  # what is not measured is said to be left out
        assert metric in {*found.left_out, *ASKED}


@pytest.mark.parametrize("direction", ["classical_to_jazz", "jazz_to_classical"])
def test_chance_is_what_the_gallery_makes_it(direction: str) -> None:
    found = benchmark_results()
    assert found.gallery is not None
    ranks = [1 / rank for rank in range(1, found.gallery + 1)]
    assert found.chance[direction]["cover_mrr"] == approx(sum(ranks) / len(ranks), rel=0.05)
    assert found.chance[direction]["cover_hit_at_1"] == approx(1 / found.gallery, rel=0.05)
