import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from matplotlib.image import imread

from conftest import STYLES
from thirdstream.data.corpus import Corpus
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import LogMel, MelConfig
from thirdstream.mel.models.paired import TwinPaired
from thirdstream.mel.system import MelSystem, build
from thirdstream.mel.training.history import Epoch
from thirdstream.registry import bundled_clips
from thirdstream.report.spectrograms import draw_mels
from thirdstream.research import figures


def test_each_mel_has_its_panel_and_low_frequencies_are_below(tmp_path: Path) -> None:
    mel = torch.zeros(259, 256)
    mel[:, :64] = 5.0  # the lowest quarter is loud
    draw_mels([{"a": mel, "b": mel}], tmp_path / "m.png", config=MelConfig(), title="t")
    picture = imread(tmp_path / "m.png")[..., :3]
    height, width = picture.shape[:2]
    for x in (width // 4, width * 5 // 8):
        column = picture[height // 6 : height * 4 // 5, x].mean(axis=1)
        assert column[-5:].mean() > 0.6
        assert column[:5].mean() < 0.1


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_both_formats(tmp_path: Path, suffix: str) -> None:
    draw_mels([{"a": torch.rand(9, 256)}], tmp_path / f"m{suffix}", config=MelConfig(), title="t")
    assert (tmp_path / f"m{suffix}").stat().st_size > 1000


@pytest.mark.slow
def test_a_corpus_has_figures_1_to_4(small_corpus: Corpus, tmp_path: Path) -> None:
    written = list(figures.corpus_figures(small_corpus, tmp_path))
    assert sorted(path.name for path in written) == sorted(
        f"figure-0{number}{ending}"
        for number in ("1-waveform", "2-stft", "3-mel", "4-statistics")
        for ending in (".png", ".svg")
    )
    assert all(path.stat().st_size > 1000 for path in written)


def test_the_segment_drawn_is_the_one_prepared(small_corpus: Corpus) -> None:
    """Its mel is what the corpus holds, to float16's precision, at -20 dB."""
    recording = small_corpus.recordings[0]
    wave = figures.segment_of(recording)
    at = recording.n_segments // 2
    power = small_corpus.power(recording, slice(at, at + 1))[0]
    found = LogMel().power(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_allclose(found, power, rtol=1e-2, atol=1e-6 * power.max())


def test_a_recording_that_changed_or_went_away_is_named(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    recording = small_corpus.recordings[0]
    with pytest.raises(ThirdstreamError, match="there is no such file"):
        figures.segment_of(dataclasses.replace(recording, path=str(tmp_path / "gone.wav")))
    sf.write(tmp_path / "short.wav", np.zeros(100), 44_100)
    with pytest.raises(ThirdstreamError, match=r"short.wav: has changed since"):
        figures.segment_of(dataclasses.replace(recording, path=str(tmp_path / "short.wav")))


def test_moments_before_and_after_normalisation(small_corpus: Corpus) -> None:
    """After it, the deviation is that of log10(1 + X / s) over itself + 1e-3: nearly 1."""
    power = np.concatenate(list(small_corpus.chunks("jazz", "train"))).reshape(-1, 256)
    mean, deviation = figures.mel_moments(small_corpus, "jazz", normalised=False)
    np.testing.assert_allclose(mean, power.mean(0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(deviation, power.std(0, dtype=np.float64), rtol=1e-4, atol=1e-9)
    _, after = figures.mel_moments(small_corpus, "jazz", normalised=True)
    raw = np.array(small_corpus.statistics["jazz"].mel_std) - 1e-3
    np.testing.assert_allclose(after, raw / (raw + 1e-3), rtol=1e-3, atol=1e-4)


def test_systems_are_drawn_with_both_styles(
    system: MelSystem, small_corpus: Corpus, tmp_path: Path
) -> None:
    powers = figures.examples(system, corpus=small_corpus, clips=())
    assert {style: power.shape for style, power in powers.items()} == dict.fromkeys(
        ("classical", "jazz"), (259, 256)
    )
    written = list(figures.system_figures(system, powers, tmp_path, name="tiny"))
    assert [path.name for path in written] == ["figure-07-tiny.png", "figure-07-tiny.svg"]


def test_what_is_drawn_is_what_a_transfer_makes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also by a model whose mels have no style of their own, but that retrieves from an index."""
    config = dataclasses.replace(
        TwinPaired.PRESETS["default"],
        channels=16, latent_channels=3, n_convs=1, contrastive_channels=16, n_index_segments=4,
    )  # fmt: skip
    system = build("twin-paired", STYLES, config, MelConfig())
    powers = {style: torch.rand(259, 256) for style in STYLES}
    mels = {s: system.log_mel(s).normalise(power)[None] for s, power in powers.items()}
    system.model.build_index([mels])
    drawn: list = []
    monkeypatch.setattr(figures, "draw_mels", lambda rows, path, **rest: drawn.extend(rows))
    list(figures.system_figures(system, powers, tmp_path, name="tiny"))
    generator = torch.Generator().manual_seed(0)
    usual = {s: system.model.default_condition(s, generator=generator) for s in STYLES}
    made = system.model.transfer(
        mels["classical"], source="classical", target="jazz", condition=usual["jazz"]
    )
    torch.testing.assert_close(drawn[0]["to jazz"], made[0])


def test_without_a_corpus_the_clips_are_shown(system: MelSystem) -> None:
    powers = figures.examples(system, corpus=None, clips=bundled_clips())
    assert all(power.shape == (259, 256) for power in powers.values())
    with pytest.raises(ThirdstreamError, match=r"no bundled clip is classical; give --corpus"):
        figures.examples(system, corpus=None, clips=())


def test_every_loss_has_its_curve(tmp_path: Path) -> None:
    """In a picture of two epochs, one panel a loss; nothing is needed of validation."""
    epochs = [Epoch(1, 10, {"a": 1.0, "b": 2.0}, {"a": 1.5}), Epoch(2, 20, {"a": 0.5, "b": 1.0})]
    written = list(figures.learning_curves(epochs, tmp_path, name="tiny"))
    assert [path.name for path in written] == ["curves-tiny.png", "curves-tiny.svg"]
    one = imread(written[0]).shape[1]
    alone = [Epoch(1, 10, {"a": 1.0})]
    assert imread(next(figures.learning_curves(alone, tmp_path, name="tiny"))).shape[1] < one
