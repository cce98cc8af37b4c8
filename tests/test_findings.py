"""Measures of transfers by their closed forms, and verdicts that turn both ways."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from conftest import STYLES, TINY, music
from thirdstream.audio import SEGMENT, SR
from thirdstream.data.corpus import Corpus
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import LogMel, MelConfig, Statistics
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.variational_gan import TwinVariationalGAN
from thirdstream.mel.system import MelSystem
from thirdstream.research import findings, measures, measuring

CONFIG = MelConfig()
STEP = math.log2(6.4) / 27 * 0.23345  # octaves from one of 256 mels to the next, above 1 kHz


def power_of(*waves: np.ndarray) -> Tensor:
    return LogMel(CONFIG).power(torch.from_numpy(np.stack(waves).astype(np.float32)))


def tones(*hz: float, decay: float = 0.0) -> np.ndarray:
    t = np.arange(SEGMENT) / SR
    return sum(0.1 * np.exp(-decay * t) * np.sin(2 * np.pi * one * t) for one in hz)


def clicks(per_s: float) -> np.ndarray:
    """Tones struck evenly, each dying away before the next."""
    t = np.arange(SEGMENT) / SR % (1 / per_s)
    return 0.1 * np.exp(-20 * per_s * t / 4) * np.sin(2 * np.pi * 700 * t)


MUSIC = power_of(music(0, SEGMENT), music(1, SEGMENT))
OTHER = power_of(music(2, SEGMENT), music(3, SEGMENT))
NORMALISED = LogMel(CONFIG).normalise  # with a scale of 1


def compared(made: Tensor, original: Tensor = MUSIC) -> dict[str, Tensor]:
    usual = dict.fromkeys(measures.of_original(OTHER, CONFIG), 0.0)
    found = measures.of_transfer(made, original, OTHER, CONFIG, usual=usual)
    return found | measures.of_lines(*(NORMALISED(one) for one in (made, original, OTHER)))


def test_a_copy_is_as_loud_as_bright_as_harmonious_and_wholly_related() -> None:
    found = compared(MUSIC)
    for name in ("audible_ratio", "correlation", "chroma"):
        torch.testing.assert_close(found[name], torch.ones(2, dtype=torch.float64))
    levels = ("level_db", "level_above_4k_db", "displacement_mels")
    for name in (*levels, *measures.of_original(MUSIC, CONFIG)):
        torch.testing.assert_close(found[name], torch.zeros(2, dtype=torch.float64))
    assert (found["correlation_with_another"].abs() < 0.3).all()
    assert (found["correlation_gain"] > 0.7).all()


def test_silence_is_empty_and_has_no_balance() -> None:
    found = compared(torch.zeros_like(MUSIC))
    assert found["level_db"].numpy() == pytest.approx([-100.0] * 2)
    assert (found["audible_ratio"] == 0).all()
    assert (found["chroma"] == 0).all()
    assert found["centroid_octaves"].isnan().all()
    assert (measures.onsets_per_s(torch.zeros_like(MUSIC), MUSIC, CONFIG) == 0).all()
    assert compared(MUSIC, torch.zeros_like(MUSIC))["level_db"].isfinite().sum() == 0


@pytest.mark.parametrize("gain_db", [-30.0, 6.0])
def test_louder_by_some_db_is_louder_by_so_many_and_changes_nothing_else(gain_db: float) -> None:
    found = compared(10 ** (gain_db / 10) * MUSIC)
    assert found["level_db"].numpy() == pytest.approx([gain_db] * 2, abs=1e-3)
    for name in ("centroid_octaves", "above_4k_db", "upper_partials_db", "dissonance"):
        assert found[name].numpy() == pytest.approx([0.0] * 2, abs=1e-4)
    mel = NORMALISED(MUSIC)
    scaled = measures.relation(abs(gain_db) * mel + 1, mel)
    assert scaled.correlation.numpy() == pytest.approx([1.0] * 2, abs=1e-6)


@pytest.mark.parametrize("n", [5, 20])
def test_mels_moved_up_raise_the_centroid_by_their_distance(n: int) -> None:
    mels = torch.zeros(1, 259, 256)
    mels[:, :, 100:120] = torch.rand(20, generator=torch.Generator().manual_seed(0))
    moved = measures.centroid_octaves(mels.roll(n, 2), CONFIG)
    raised = moved - measures.centroid_octaves(mels, CONFIG)
    centres = np.log2(CONFIG.places_hz[1:-1])
    assert float(raised) == pytest.approx(centres[100 + n] - centres[100], abs=1e-9)
    assert float(raised) == pytest.approx(n * STEP, rel=1e-3)


@pytest.mark.parametrize("n", [-13, 5, 40])
def test_a_copy_that_is_moved_is_related_and_lies_where_it_was_moved(n: int) -> None:
    found = compared(MUSIC.roll(n, 2))
    assert found["displacement_mels"].tolist() == [n, n]
    assert (found["correlation"] > 0.8).all()
    assert compared(OTHER)["displacement_mels"].isnan().all()  # unrelated: it has none


@pytest.mark.parametrize(("hz", "name"), [(4000, "above_4k_db"), (8000, "above_8k_db")])
def test_noise_above_a_frequency_raises_its_share(hz: float, name: str) -> None:
    high = torch.from_numpy(CONFIG.places_hz[1:-1] >= hz)
    noise = torch.rand(MUSIC.shape, generator=torch.Generator().manual_seed(0)) * high
    found = compared(MUSIC + noise)
    assert (found[name] > 3).all()
    assert (found["level_above_4k_db"] > 3).all()
    loud = measures.share_above_db(MUSIC * 1e-12 + noise, CONFIG, hz=hz)
    assert loud.numpy() == pytest.approx([0.0] * 2, abs=1e-3)


def test_energies_are_those_of_the_filters_area() -> None:
    flat = torch.ones(1, 3, 256)  # white noise
    share = 10 ** (measures.share_above_db(flat, CONFIG, hz=8000) / 10)
    assert float(share) == pytest.approx((SR / 2 - 8000) / (SR / 2), rel=0.01)


@pytest.mark.parametrize("per_s", [2.0, 3.0])
def test_twice_the_attacks_are_twice_the_onsets(per_s: float) -> None:
    few, many = power_of(clicks(per_s)), power_of(clicks(2 * per_s))
    found = measures.onsets_per_s(many, few, CONFIG) / measures.onsets_per_s(few, few, CONFIG)
    assert float(found) == pytest.approx(2.0, rel=0.25)
    assert float(measures.onsets_per_s(few, few, CONFIG)) == pytest.approx(per_s, abs=0.7)
    assert float(measures.onsets_per_s(few * 1e-9, few, CONFIG)) == 0  # hardly sounds


def test_upper_partials_are_missed_and_noise_is_none_of_them() -> None:
    dull, bright = (power_of(tones(*hz)) for hz in ((300, 600), (300, 600, 2000, 3000)))
    lost = measures.upper_partials_db(dull, CONFIG) - measures.upper_partials_db(bright, CONFIG)
    assert float(lost) < -20
    even = measures.upper_partials_db(dull + 0.1 * dull.amax(), CONFIG)
    assert float(even) < -20


def test_a_fifth_is_less_dissonant_than_a_semitone_and_one_tone_is_not() -> None:
    fifth, semitone, single = (
        float(measures.dissonance(power_of(tones(*hz)), CONFIG))
        for hz in ((2000, 3000), (2000, 2119), (2000,))
    )
    assert single == pytest.approx(0, abs=0.02)
    assert fifth + 0.2 < semitone <= 0.5


def test_the_same_pitch_classes_are_alike_and_others_are_not() -> None:
    chord, octave, other = (power_of(tones(*hz)) for hz in ((440, 660), (880, 1320), (523.25, 784)))
    assert float(measures.chroma_similarity(octave, chord)) > 0.9
    assert float(measures.chroma_similarity(other, chord)) < 0.2


def test_errors_of_reconstructions_by_their_closed_forms() -> None:
    mel = torch.rand(2, 259, 256) + 1
    found = measures.of_reconstruction(0.5 * mel, mel, CONFIG)
    for name in ("error_above_4k", "error_below_4k", "fine_error"):
        assert found[name].numpy() == pytest.approx([0.5] * 2)
    flat = measures.of_reconstruction(mel.mean(2, keepdim=True).expand_as(mel), mel, CONFIG)
    assert flat["fine_error"].numpy() == pytest.approx([1.0] * 2)
    high = torch.from_numpy(CONFIG.places_hz[1:-1] >= 4000)
    dull = measures.of_reconstruction(mel * ~high, mel, CONFIG)
    assert dull["error_above_over_below"].numpy() == pytest.approx([1.0] * 2)


def system_that(make: Callable[[Tensor], Tensor]) -> MelSystem:
    """One that makes that of all mels, and reconstructs without a fault."""

    class Made(TwinCNN):
        def transfer(self, mel: Tensor, *, source: str, target: str, **_: object) -> Tensor:
            return mel if source == target else make(mel)

    return MelSystem("twin-cnn", Made(STYLES, TINY)).eval()


def of_corpus(system: MelSystem, corpus: Corpus) -> MelSystem:
    """With the same statistics for both styles and all mels, so that a copy or a move is one."""
    flat = Statistics(corpus.statistics[corpus.styles[0]].scale, [1.0] * 256, [math.inf] * 256)
    system.set_statistics(dict.fromkeys(corpus.styles, flat))
    return system


def verdicts(system: MelSystem, corpus: Corpus) -> dict[str, str]:
    measured = [measuring.measure(of_corpus(system, corpus), corpus, n_segments=2, seed=0)]
    json.dumps(measured, allow_nan=False)
    judged = findings.judge({"twin-cnn": measured})
    assert len(judged) == 1 + len(findings.STATEMENTS)
    assert not any("nan" in one.measurement.split() for one in judged)
    return {one.statement.split(": ")[-2]: one.verdict for one in judged[1:]}


def test_a_system_that_copies_makes_no_statement_true(small_corpus: Corpus) -> None:
    found = verdicts(system_that(lambda mel: mel), small_corpus)
    balance = "high-frequency content is generated"  # a copy may have more than the target has
    assert {one for name, one in found.items() if name != balance} == {"does not hold"}


def test_a_system_that_gives_silence_is_empty_and_its_balance_is_not_tested(
    small_corpus: Corpus,
) -> None:
    found = verdicts(system_that(torch.zeros_like), small_corpus)
    assert found["transfers are empty"] == "holds"
    assert found["tones are raised in frequency"] == "not tested"
    assert found["attacks are multiplied"] == "does not hold"


def test_a_system_that_gives_high_noise_generates_it(small_corpus: Corpus) -> None:
    def noise(mel: Tensor) -> Tensor:
        high = torch.arange(mel.shape[2]) > 220
        return 9 * torch.rand(mel.shape, generator=torch.Generator().manual_seed(0)) * high

    found = verdicts(system_that(noise), small_corpus)
    assert found["high-frequency content is generated"] == "holds"
    assert found["what transfers hold is unrelated to the source"] == "holds"
    assert found["tones are raised in frequency"] == "holds in part"  # no line is its source's
    assert found["transfers are empty"] == "does not hold"


def test_a_system_that_moves_mels_up_raises_tones(small_corpus: Corpus) -> None:
    up = verdicts(system_that(lambda mel: pad(mel, (20, -20))), small_corpus)
    assert up["tones are raised in frequency"] == "holds"
    assert up["what transfers hold is unrelated to the source"] == "does not hold"
    down = verdicts(system_that(lambda mel: pad(mel, (-20, 20))), small_corpus)
    assert down["tones are raised in frequency"] == "does not hold"


@pytest.mark.parametrize("statement", findings.STATEMENTS, ids=lambda one: one.text.split(":")[0])
def test_every_verdict_turns_both_ways(statement: findings.Statement) -> None:
    met, missed = (
        {one.measure: one.threshold + (sign if one.above else -sign) for one in statement.criteria}
        for sign in (1.0, -1.0)
    )
    assert judged(statement, [measured(met), measured(met)]) == "holds"
    assert judged(statement, [measured(missed)]) == "does not hold"
    assert judged(statement, [measured(met), measured(missed)]) == "holds in part"  # by seed
    one_way = measured(met)
    first = next(iter(one_way[statement.of]))
    one_way[statement.of][first] = measured(missed)[statement.of][first]
    assert judged(statement, [one_way]) == "holds in part"
    assert judged(statement, [measured({})]) == judged(statement, []) == "not tested"


def test_a_criterion_without_a_value_leaves_it_open() -> None:
    (statement,) = (one for one in findings.STATEMENTS if one.text.startswith("tones"))
    assert judged(statement, [measured({"centroid_octaves": 1.0})]) == "holds in part"


def test_recordings_that_disagree_leave_it_open() -> None:
    one = measured({"onsets_per_s": 2.0})
    for way in one["transfers"].values():
        way["onsets_per_s"]["by_recording"] = [9.0, -3.0]
    (statement,) = (one for one in findings.STATEMENTS if one.text.startswith("attacks"))
    assert judged(statement, [one]) == "holds in part"


def test_a_measurement_says_n_and_the_spread_over_seeds() -> None:
    seeds = [measured({"onsets_per_s": value}) for value in (2.0, 4.0)]
    found = findings.judge({"twin-vae": seeds})
    (text,) = (one.measurement for one in found if "attacks" in one.statement)
    assert "classical to jazz (holds): onsets 3.0/s [3.0, 3.0] ± 1.4" in text
    assert text.endswith("classical: 4 segments of 2 recordings; jazz: 4 segments of 2 recordings "
                         "(train); 2 seeds")  # fmt: skip
    assert {one.section for one in found[1:]} == {"3.2"}


def measured(values: dict[str, float], *, loss: float = 1.0) -> Any:
    """As `measure` gives, of the measures in use; those without a value have None."""
    ways = {"transfers": ("classical to jazz", "jazz to classical"), "reconstructions": STYLES}
    names = [one.measure for statement in findings.STATEMENTS for one in statement.criteria]
    return {
        "split": dict(zip(STYLES, ("test", "train"), strict=True)),
        "segments": dict.fromkeys(STYLES, 4),
        "recordings": {style: ["a", "b"] for style in STYLES},
        "reconstruction": dict.fromkeys(STYLES, loss),
        **{
            of: {way: {name: {"by_recording": [values.get(name)] * 2} for name in names}
                 for way in both}
            for of, both in ways.items()
        },
    }  # fmt: skip


def judged(statement: findings.Statement, seeds: list[Any]) -> str:
    found = findings.judge({"twin-vae": seeds})
    (verdict,) = (one.verdict for one in found if one.statement.endswith(statement.text))
    return verdict


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ((1, 2, 3, 4), "holds"),
        ((2, 1, 3, 4), "holds in part"),
        ((4, 3, 2, 1), "does not hold"),
        ((1, 2, 3), "not tested"),
    ],
)
def test_the_order_of_losses_is_judged_by_pairs(losses: tuple[int, ...], verdict: str) -> None:
    names = list(findings.PAPER_LOSSES)[: len(losses)]
    results = {
        name: [measured({}, loss=loss)] * 2 for name, loss in zip(names, losses, strict=True)
    }
    assert findings.judge(results)[0].verdict == verdict


def test_the_papers_own_numbers_are_in_its_order() -> None:
    assert sorted(findings.PAPER_LOSSES.values()) == list(findings.PAPER_LOSSES.values())


def test_segments_are_spread_evenly_and_depend_on_the_seed(small_corpus: Corpus) -> None:
    style = small_corpus.styles[0]
    whole = measuring.sample(small_corpus, style, n_segments=10**6, seed=0)
    n_recordings = len(small_corpus.of(style, whole.split))
    assert len(whole.power) == small_corpus.n_segments(style, whole.split)
    few = measuring.sample(small_corpus, style, n_segments=n_recordings, seed=0)
    assert len(set(few.recordings)) == n_recordings
    again = measuring.sample(small_corpus, style, n_segments=n_recordings, seed=0)
    assert torch.equal(few.power, again.power)


@pytest.mark.slow
def test_all_is_measured_of_a_system_that_draws_its_style(small_corpus: Corpus) -> None:
    torch.manual_seed(0)
    config = TwinVariationalGAN.PRESETS["paper"]
    system = MelSystem("twin-variational-gan", TwinVariationalGAN(STYLES, config)).eval()
    system.set_statistics(small_corpus.statistics)
    found = measuring.measure(system, small_corpus, n_segments=2, seed=0)
    json.dumps(found, allow_nan=False)
    assert set(found["diversity"]) == set(found["transfers"])
    assert all(0 < value <= 2 for value in found["diversity"].values())
    assert found["latent"] >= 0
    assert found == measuring.measure(system, small_corpus, n_segments=2, seed=0)


def test_eq_1_is_that_of_the_recordings(small_corpus: Corpus) -> None:
    system = of_corpus(system_that(lambda mel: mel), small_corpus)
    found = measuring.measure(system, small_corpus, n_segments=2, seed=0)
    assert found["reconstruction"] == dict.fromkeys(STYLES, 0.0)
    assert found["diversity"] is None


def test_the_whole_sample_has_eq_1_of_the_corpus(small_corpus: Corpus) -> None:
    system = MelSystem("twin-cnn", TwinCNN(STYLES, TINY)).eval()
    system.set_statistics(small_corpus.statistics)
    found = measuring.measure(system, small_corpus, n_segments=10**6, seed=0)
    for style in STYLES:
        chunks = list(small_corpus.chunks(style, found["split"][style]))
        mel = system.log_mel(style).normalise(torch.from_numpy(np.concatenate(chunks)))
        error = (system.model.reconstruct(mel, style) - mel).abs().mean()
        assert found["reconstruction"][style] == pytest.approx(error.item(), rel=1e-5)


def test_a_system_whose_training_failed_is_refused(small_corpus: Corpus) -> None:
    system = MelSystem("twin-cnn", TwinCNN(STYLES, TINY)).eval()
    for parameter in system.model.parameters():
        parameter.data.fill_(torch.nan)
    with pytest.raises(ThirdstreamError, match="not finite; train it again"):
        measuring.measure(system, small_corpus, n_segments=1, seed=0)


def test_a_corpus_of_other_styles_is_refused(small_corpus: Corpus) -> None:
    system = MelSystem("twin-cnn", TwinCNN(("jazz", "tango"), TINY))
    with pytest.raises(ThirdstreamError, match="has no tango"):
        measuring.measure(system, small_corpus, n_segments=1, seed=0)
