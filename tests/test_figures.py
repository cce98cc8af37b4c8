import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from torch import Tensor

from conftest import STYLES
from thirdstream.audio import SEGMENT, SR
from thirdstream.data.corpus import Corpus
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import LogMel, MelConfig
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.paired import TwinPaired
from thirdstream.mel.models.travel import Travel
from thirdstream.mel.system import MelSystem, build
from thirdstream.mel.training.history import Epoch
from thirdstream.registry import bundled_clips
from thirdstream.report import spectrograms
from thirdstream.report.spectrograms import mel_figure
from thirdstream.research import figures


def test_each_mel_has_its_panel_and_low_frequencies_are_below(tmp_path: Path) -> None:
    mel = torch.zeros(259, 256)
    mel[:, :64] = 5.0  # the lowest quarter is loud
    figure = mel_figure([{"a": mel, "b": mel}], config=MelConfig(), title="t")
    spectrograms.save(figure, tmp_path / "m.png")
    picture = imread(tmp_path / "m.png")[..., :3]
    height, width = picture.shape[:2]
    for x in (width // 4, width * 5 // 8):
        column = picture[height // 6 : height * 4 // 5, x].mean(axis=1)
        assert column[-5:].mean() > 0.6
        assert column[:5].mean() < 0.1


def test_each_column_has_its_times_below_its_lowest_panel() -> None:
    """Also where the last row is shorter."""
    mel = torch.rand(9, 256)
    figure = mel_figure([dict.fromkeys("abc", mel), dict.fromkeys("de", mel)], config=MelConfig())
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    timed = {name for name, axes in panels.items() if axes.get_xlabel() == "time (s)"}
    assert timed == set("cde")
    FigureCanvasAgg(figure).draw()
    ticked = {
        name
        for name, axes in panels.items()
        if any(tick.label1.get_visible() for tick in axes.xaxis.get_major_ticks())
    }
    assert ticked == set("cde")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_both_formats(tmp_path: Path, suffix: str) -> None:
    figure = mel_figure([{"a": torch.rand(9, 256)}], config=MelConfig(), title="t")
    spectrograms.save(figure, tmp_path / f"m{suffix}")
    assert (tmp_path / f"m{suffix}").stat().st_size > 1000


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures that are saved, by file name, instead of files."""
    found: dict[str, Figure] = {}
    monkeypatch.setattr(figures, "save", lambda figure, path: found.update({path.name: figure}))
    return found


def test_figures_1_to_3_have_one_time_axis(small_corpus: Corpus, drawn: dict[str, Figure]) -> None:
    """It ends with the segment, 2.97 s, and each frame is centred where its window is."""
    list(figures.corpus_figures(small_corpus, Path()))
    for name in ("1-waveform", "2-stft", "3-mel"):
        panels = [axis for axis in drawn[f"figure-0{name}.png"].axes if axis.get_xlabel()]
        assert panels
        for axis in panels:
            assert axis.get_xlim() == pytest.approx((0, SEGMENT / SR))
    for name in ("2-stft", "3-mel"):
        left, right, *_ = drawn[f"figure-0{name}.png"].axes[0].images[0].get_extent()
        centres = left + (np.arange(259) + 0.5) * (right - left) / 259
        np.testing.assert_allclose(centres, np.arange(259) * 512 / SR, atol=1e-9)


def test_frequencies_are_where_their_bands_are() -> None:
    """1,000 Hz lies between the centres of two mels as on the mel scale."""
    axis = mel_figure([{"a": torch.rand(9, 256)}], config=MelConfig()).axes[0]
    (place,) = (t for t, x in zip(axis.get_yticks(), axis.get_yticklabels(), strict=True)
                if x.get_text() == "1000")  # fmt: skip
    below, above = MelConfig().places_hz[1:-1][[int(place), int(place) + 1]]
    assert place % 1 == pytest.approx((1000 - below) / (above - below))
    assert axis.images[0].get_extent()[2:] == [-0.5, 255.5]


def test_every_axis_is_named(small_corpus: Corpus, drawn: dict[str, Figure]) -> None:
    """Of the corpus's figures and of learning curves: a name, or one shared with a neighbour."""
    list(figures.corpus_figures(small_corpus, Path()))
    list(figures.learning_curves([Epoch(1, 10, {"a": 1.0, "b": 2.0})], Path(), name="tiny"))
    for name, figure in drawn.items():
        for axis in figure.axes:
            beside = [one.get_ylabel() for one in axis.get_shared_y_axes().get_siblings(axis)]
            if name.startswith("curves"):  # all in the unit of the first
                beside.append(figure.axes[0].get_ylabel())
            assert any(beside), name
    before, after = (
        [axis.get_ylabel() for axis in drawn["figure-04-statistics.png"].axes[half]]
        for half in (slice(2), slice(2, 4))
    )
    assert before == ["mean of mel power", "deviation of mel power"]
    assert after == ["mean of normalised mel", "deviation of normalised mel"]


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


def rows_of(system: MelSystem, powers: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
    """What a system's figure shows, dB."""
    rows: list[Mapping[str, Tensor]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "mel_figure", lambda found, **rest: rows.extend(found))
        patch.setattr(figures, "save", lambda figure, path: None)
        list(figures.system_figures(system, powers, Path(), name="tiny"))
    return rows


def styled(family: str) -> MelSystem:
    """An untrained system with a style code."""
    torch.manual_seed(0)
    return build(family, STYLES, FAMILIES[family].kind.PRESETS["default"], MelConfig()).eval()


@torch.no_grad()
def test_the_style_of_a_variational_gan_is_drawn_as_in_a_transfer() -> None:
    """Figure 11 does not depend on what the other row's original is."""
    system = styled("twin-variational-gan")
    powers = {style: torch.rand(259, 256) for style in STYLES}
    made = rows_of(system, powers)[0]["to jazz"]
    other = rows_of(system, powers | {"jazz": 0.5 * powers["jazz"].flip(0, 1)})[0]["to jazz"]
    top = max(one.max() for one in powers.values()) / powers["classical"].max()
    torch.testing.assert_close(made + 10 * torch.log10(top), other, atol=1e-3, rtol=0)
    condition = system.model.default_condition("jazz", generator=torch.Generator().manual_seed(0))
    transferred = system.convert(
        powers["classical"][None], source="classical", target="jazz", condition=condition
    )
    torch.testing.assert_close(made, decibels(transferred[0], powers))


@torch.no_grad()
def test_a_gan_swaps_the_styles_of_the_originals() -> None:
    system = styled("twin-gan")
    powers = {style: torch.rand(259, 256) for style in STYLES}
    log_mel = system.log_mel("jazz")
    code = system.model.style_code(log_mel.normalise(powers["jazz"][None]), "jazz")
    swapped = system.convert(
        powers["classical"][None], source="classical", target="jazz", condition=code
    )
    torch.testing.assert_close(rows_of(system, powers)[0]["to jazz"], decibels(swapped[0], powers))


def decibels(power: Tensor, originals: Mapping[str, Tensor]) -> Tensor:
    """To the loudest point of the originals, cut off 60 dB below."""
    top = max(one.max() for one in originals.values())
    return (10 * torch.log10(power / top)).clamp(min=-60)


def test_originals_and_transfers_have_one_scale(unchanging: MelSystem) -> None:
    """What a model hands on unchanged in normalised mels sounds different, and looks different:
    each mel's power is that of the target style's statistics.
    """
    for style, deviation in zip(STYLES, (0.5, 1.0), strict=True):
        unchanging.log_mel(style).mel_std.fill_(deviation)
    powers = {style: torch.rand(259, 256) + 0.1 for style in STYLES}
    row = rows_of(unchanging, powers)[0]
    torch.testing.assert_close(row["original"], decibels(powers["classical"], powers))
    heard = (1 + powers["classical"]) ** 2 - 1  # log10(1 + X) / 0.5 = log10(1 + X')
    torch.testing.assert_close(row["to jazz"], decibels(heard, powers), atol=1e-3, rtol=1e-3)


def test_systems_without_a_number_are_called_by_their_name(tmp_path: Path) -> None:
    config = dataclasses.replace(Travel.PRESETS["default"], channels=(4,), n_convs=1)
    system = build("travel", STYLES, config, MelConfig())
    written = figures.system_figures(
        system, {style: torch.rand(259, 256) for style in STYLES}, tmp_path, name="tiny"
    )
    assert [path.name for path in written] == ["transfer-tiny.png", "transfer-tiny.svg"]


def test_what_is_drawn_is_what_a_transfer_makes() -> None:
    """Also by a model whose mels have no style of their own, but that retrieves from an index."""
    config = dataclasses.replace(
        TwinPaired.PRESETS["default"],
        channels=16, latent_channels=3, n_convs=1, contrastive_channels=16, n_index_segments=4,
    )  # fmt: skip
    system = build("twin-paired", STYLES, config, MelConfig())
    powers = {style: torch.rand(259, 256) for style in STYLES}
    mels = {s: system.log_mel(s).normalise(power)[None] for s, power in powers.items()}
    system.model.build_index([mels])
    usual = system.model.default_condition("jazz", generator=torch.Generator().manual_seed(0))
    made = system.convert(
        powers["classical"][None], source="classical", target="jazz", condition=usual
    )
    torch.testing.assert_close(rows_of(system, powers)[0]["to jazz"], decibels(made[0], powers))


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


def test_the_legend_of_curves_names_both_and_lies_beside_the_panels(
    drawn: dict[str, Figure],
) -> None:
    """Also where the first panel has nothing of validation."""
    epochs = [Epoch(k, k, {"a": 2.0 / k, "b": 1.0 / k}, {"b": 1.5 / k}) for k in range(1, 9)]
    list(figures.learning_curves(epochs, Path(), name="tiny"))
    figure = drawn["curves-tiny.png"]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["train", "validation"]
    place = legend.get_window_extent(canvas.get_renderer())
    assert not any(place.overlaps(axes.get_window_extent()) for axes in figure.axes)
    assert all(axes.get_legend() is None for axes in figure.axes)
