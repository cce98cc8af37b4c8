"""The two knobs and the style of a recording."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from conftest import STYLES, TINY, music
from thirdstream import audio, registry
from thirdstream.audio import SEGMENT, SR
from thirdstream.files import ThirdstreamError
from thirdstream.mel.models.gan import GANConfig, TwinGAN
from thirdstream.mel.models.model import Batch
from thirdstream.mel.models.twin import size_of
from thirdstream.mel.models.variational_gan import TwinVariationalGAN
from thirdstream.mel.system import MelSystem

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
GAN = GANConfig(
    **size_of(TINY),
    weights=TwinGAN.PRESETS["paper"].weights,
    style_channels=(2, 2), style_size=3, discriminator_channels=(2,),
)  # fmt: skip


@pytest.fixture(params=[TwinGAN, TwinVariationalGAN])
def styled(request: pytest.FixtureRequest) -> MelSystem:
    """An untrained system whose twin tells style from content."""
    torch.manual_seed(0)
    twin = request.param(STYLES, GAN)
    mels = {style: 3 * torch.rand(4, 32, 256) for style in STYLES}
    twin(Batch(mels, mels))  # it has seen some styles
    return MelSystem("styled", twin).eval().requires_grad_(False)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


def test_style_strength_goes_from_self_reconstruction_to_transfer(system: MelSystem) -> None:
    power = system.log_mel("classical").power(torch.from_numpy(music(0, SEGMENT))[None])
    how = {"source": "classical", "target": "jazz"}
    made = [system.convert(power, **how, strength=share).sqrt().sqrt() for share in SHARES]
    rebuilt = system.convert(power, source="classical", target="classical").sqrt().sqrt()
    torch.testing.assert_close(made[0], rebuilt, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made[-1], system.convert(power, **how).sqrt().sqrt())
    away = [float((one - made[0]).norm()) for one in made]
    assert away == sorted(away)
    np.testing.assert_allclose(away, np.array(SHARES) * away[-1], rtol=1e-2)


def test_style_strength_is_continuous_in_the_sound(system: MelSystem) -> None:
    wave = music(0, SEGMENT)
    near = [system.transfer(wave, SR, to="jazz", style_strength=share) for share in (0.5, 0.501)]
    ends = [system.transfer(wave, SR, to="jazz", style_strength=share) for share in (0, 1)]
    assert distance(*near) < 0.1 * distance(*ends)


@pytest.mark.parametrize("phase", ["content", "propagated", "noise"])
def test_keeping_content_comes_ever_nearer_to_the_recording(
    unchanging: MelSystem, phase: str
) -> None:
    """With a twin that changes nothing, all of it is the recording itself."""
    wave = music(0, 2 * SEGMENT)
    made = [
        unchanging.transfer(wave, SR, to="jazz", phase=phase, keep_content=share)  # type: ignore[arg-type]
        for share in SHARES
    ]
    errors = [distance(one, wave) for one in made]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * float(np.abs(wave).mean())


def test_keeping_content_leaves_the_transfers_balance(system: MelSystem) -> None:
    """Fine structure comes back, not the energy that the transfer took away."""
    for style in STYLES:  # untrained decoders are a mere hum: let this one drop all above 2 kHz
        system.log_mel(style).mel_max[100:] = 0.0
    made = system.transfer(music(0, SEGMENT), SR, to="jazz", keep_content=1.0)
    spectrum = np.abs(np.fft.rfft(made)) ** 2
    at = len(spectrum) * 6000 // (SR // 2)
    assert spectrum[at:].sum() < 1e-2 * spectrum.sum()


@pytest.mark.parametrize("name", ["style_strength", "keep_content", "blend"])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_beyond_0_and_1_are_refused(system: MelSystem, name: str, share: float) -> None:
    with pytest.raises(
        ThirdstreamError, match=f"--{name.replace('_', '-')} must lie between 0 and 1"
    ):
        system.transfer(music(0, 5000), SR, to="jazz", **{name: share})


def test_the_style_of_a_recording_is_used(styled: MelSystem, tmp_path: Path) -> None:
    wave = music(0, SEGMENT)
    for seed, path in enumerate(("one.wav", "other.wav")):
        sf.write(tmp_path / path, music(10 + seed, 2 * SEGMENT) ** (1 + 2 * seed), SR)
    made = [
        styled.transfer(wave, SR, to="jazz", style_from=tmp_path / path)
        for path in ("one.wav", "other.wav", "one.wav")
    ]
    assert np.array_equal(made[0], made[2])
    assert not np.allclose(made[0], made[1], atol=1e-4)


@pytest.mark.parametrize("sr", [SR, 2 * SR])
def test_what_is_less_than_a_segment_counts_for_no_style(
    styled: MelSystem, tmp_path: Path, sr: int
) -> None:
    """The window that it would be filled up with silence to would be half of the mean."""
    wave = np.repeat(music(1, SEGMENT + 100), sr // SR)
    sf.write(tmp_path / "whole.wav", wave[: SEGMENT * sr // SR], sr)
    sf.write(tmp_path / "longer.wav", wave, sr)
    sf.write(tmp_path / "short.wav", wave[: sr // 2], sr)
    whole, longer, short = (
        styled.style_of(tmp_path / f"{name}.wav", "jazz") for name in ("whole", "longer", "short")
    )
    torch.testing.assert_close(longer, whole, atol=1e-3, rtol=1e-3)
    assert torch.isfinite(short).all()


def test_without_one_the_style_is_the_usual_one_or_drawn(styled: MelSystem) -> None:
    wave = music(0, SEGMENT)
    made = [styled.transfer(wave, SR, to="jazz", seed=seed) for seed in (1, 1, 2)]
    assert np.array_equal(made[0], made[1])
    drawn = isinstance(styled.model, TwinVariationalGAN)
    assert np.array_equal(made[0], made[2]) != drawn


def test_a_silent_recording_has_no_style(styled: MelSystem, tmp_path: Path) -> None:
    sf.write(tmp_path / "silent.wav", np.zeros(SEGMENT), SR)
    with pytest.raises(ThirdstreamError, match=r"silent.wav: is silent, so it has no style"):
        styled.transfer(music(0, 5000), SR, to="jazz", style_from=tmp_path / "silent.wav")


def test_a_twin_without_styles_says_so(system: MelSystem, tmp_path: Path) -> None:
    sf.write(tmp_path / "some.wav", music(0, SEGMENT), SR)
    with pytest.raises(ThirdstreamError, match="takes no style_from; leave --style-from out"):
        system.transfer(music(0, 5000), SR, to="jazz", style_from=tmp_path / "some.wav")


def test_the_default_twin_cnn_passes_mels_on_and_the_papers_does_not() -> None:
    """Correlation of transfer and original on a bundled clip, in normalised mels."""
    correlations = {}
    clip = next(one for one in registry.bundled_clips() if one.stem.startswith("classical"))
    wave, _ = audio.read(clip)
    for name in ("twin-cnn", "twin-cnn-paper"):
        system = registry.load(name)
        assert isinstance(system, MelSystem)
        mel = system.log_mel("classical")(torch.from_numpy(wave[: 4 * SEGMENT])[None])
        made = system.model.transfer(mel, source="classical", target="jazz")
        both = torch.stack([mel.flatten(), made.flatten()])
        correlations[name] = torch.corrcoef(both)[0, 1].item()
    assert correlations["twin-cnn"] > 0.9
    assert correlations["twin-cnn-paper"] < 0.2
