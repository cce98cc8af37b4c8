"""The twin that learns from pairs, its networks along time, and what it hears in training."""

import dataclasses
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from conftest import STYLES, music
from thirdstream import preparing
from thirdstream.audio import SEGMENT, SR
from thirdstream.corpus import ALIGNED, TRAIN, VALIDATION, Corpus, Versions
from thirdstream.mel import augment, training
from thirdstream.mel.augment import weathered
from thirdstream.mel.features import MelConfig
from thirdstream.mel.frames import Along, FrameDecoder, FrameEncoder, Velocity, columns_of
from thirdstream.mel.paired import (
    FLOW,
    GUIDANCE,
    N_REMEMBERED,
    Memory,
    Spread,
    TwinPaired,
    size_at,
)
from thirdstream.mel.twin import HOP_FRAMES, RECONSTRUCTION

SMALL = dataclasses.replace(
    TwinPaired.PRESETS["default"],
    channels=(16,), latent_channels=3, kernel_size=3, n_convs=1, flow_channels=32, flow_blocks=2,
)  # fmt: skip
FEW = dataclasses.replace(SMALL, n_mels=8)
MEL = MelConfig()


def twin(config=FEW) -> TwinPaired:
    torch.manual_seed(0)
    return TwinPaired(STYLES, config)


# --- networks along time ------------------------------------------------------------------------


def test_a_block_starts_as_the_identity_and_then_learns() -> None:
    block, x = Along(6, kernel_size=5, n_condition=2), torch.rand(2, 9, 6)
    assert torch.equal(block(x, condition=torch.rand(2, 2)), x)
    block(x, condition=torch.rand(2, 2)).square().sum().backward()
    assert block.dense[2].weight.grad is not None and block.dense[2].weight.grad.abs().max() > 0


@pytest.mark.parametrize("n_frames", [1, 3, 4, 5, 259])
def test_code_and_mel_have_the_right_sizes(n_frames: int) -> None:
    shape = {"n_mels": 8, "latent_channels": 3, "patch": 4, "kernel_size": 3, "n_blocks": 1}
    code = FrameEncoder(16, **shape)(torch.rand(2, 1, n_frames, 8))
    assert code.shape == (2, 3, -(-n_frames // 4), 1)
    assert FrameDecoder(16, **shape)(code, n_frames=n_frames).shape == (2, 1, n_frames, 8)


# --- the flow -----------------------------------------------------------------------------------


def test_of_two_right_answers_one_is_drawn_and_not_their_mean() -> None:
    """All that a flow is for: the same content goes with +1 as often as with -1."""
    own = twin()
    optimizer = torch.optim.Adam(own.parameters(), lr=3e-3)
    content = torch.zeros(64, 4, 3)
    for _ in range(300):
        sign = torch.randint(0, 2, (64, 1, 1)) * 2.0 - 1
        _, missed = own._flight(
            content, goal=sign.expand(64, 4, 3), manner=torch.zeros(64, own.n_manner), into="jazz"
        )
        optimizer.zero_grad()
        missed.mean().backward()
        optimizer.step()
    with torch.no_grad():
        noise, manner = torch.randn(64, 4, 3), torch.zeros(64, own.n_manner)
        flown = own.flown(noise, content=content, manner=manner, into="jazz")
        drawn = flown.mean(dim=(1, 2))
    assert (drawn.abs() > 0.6).float().mean() > 0.8
    assert 0.2 < (drawn > 0).float().mean() < 0.8


def test_it_hears_two_seconds_to_either_side() -> None:
    velocity = Velocity(3, 16, kernel_size=7, n_blocks=8, n_condition=2)
    for parameter in velocity.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    at = torch.randn(1, 101, 3, requires_grad=True)
    told = velocity(at, content=torch.randn(1, 101, 3), condition=torch.randn(1, 2))
    told[0, 50].sum().backward()
    assert at.grad is not None
    heard = at.grad[0].abs().sum(dim=1).nonzero()
    assert heard.min() <= 50 - 43 and heard.max() >= 50 + 43


def test_guidance_leans_to_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    own, noise = twin(), torch.randn(1, 5, 3)
    manner = torch.zeros(1, own.n_manner)

    def heading(at: torch.Tensor, *, content: torch.Tensor, **_: object) -> torch.Tensor:
        return 3 * content + 1  # as if told: 1 without content, 4 with ones

    monkeypatch.setattr(own, "heading", heading)
    flown = own.flown(noise, content=torch.ones(1, 5, 3), manner=manner, into="jazz")
    torch.testing.assert_close(flown, noise + 1 + 3 * GUIDANCE)


@given(st.integers(0, 100))
def test_codes_are_brought_to_a_common_measure_and_back(seed: int) -> None:
    content = 3 + 5 * torch.randn(4, 3, 50, 1, generator=torch.Generator().manual_seed(seed))
    spread = Spread(3)
    spread.see(content)
    narrow = spread.narrowed(content)
    assert narrow.mean(dim=(0, 1)).numpy() == pytest.approx(np.zeros(3), abs=1e-4)
    assert narrow.std(dim=(0, 1)).numpy() == pytest.approx(np.ones(3), abs=0.02)
    torch.testing.assert_close(spread.widened(narrow), content, rtol=1e-4, atol=1e-4)


def test_windows_of_one_recording_start_from_the_same_noise_where_they_overlap(monkeypatch) -> None:
    own = twin().eval()
    monkeypatch.setattr(TwinPaired, "flown", lambda self, noise, **_: noise)
    n_frames = HOP_FRAMES + 36
    noise = own.usual_style("jazz", generator=torch.Generator().manual_seed(3))
    code = own.encode(torch.rand(1, n_frames, 8), "classical")._replace(style=noise)
    content = []
    monkeypatch.setattr(own.decoders["jazz"], "forward", lambda c, n_frames: content.append(c) or c)
    own.decode(code, "jazz")
    columns = content[0][0, :, :, 0]
    first, again = columns[:, :9], columns[:, HOP_FRAMES // 4 :]
    assert torch.equal(first, again) and not torch.equal(first, columns[:, 9:18])


def test_a_seed_is_a_version() -> None:
    own = twin().eval()
    for parameter in own.velocity.parameters():  # as if it had learnt
        torch.nn.init.normal_(parameter, std=0.1)
    mel = torch.rand(1, 40, 8)

    def made(seed: int) -> torch.Tensor:
        noise = own.usual_style("jazz", generator=torch.Generator().manual_seed(seed))
        return own.transfer(mel, source="classical", target="jazz", style=noise)

    assert torch.equal(made(1), made(1)) and not torch.equal(made(1), made(2))


def test_a_transfer_draws_the_style_of_one_of_the_latest_recordings() -> None:
    memory = Memory(2)
    assert not memory.draw(torch.Generator()).any()
    for number in range(3 * N_REMEMBERED):
        memory.see(torch.full((1, 2), float(number)))
    generator = torch.Generator().manual_seed(0)
    drawn = {float(memory.draw(generator)[0, 0]) for _ in range(200)}
    assert drawn <= set(range(2 * N_REMEMBERED, 3 * N_REMEMBERED)) and len(drawn) > 20


def test_a_style_is_mean_and_deviation_and_decides() -> None:
    own = twin().eval()
    for parameter in own.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    mel, other = torch.rand(1, 40, 8), torch.rand(1, 40, 8)
    found = own.style_in(other, "jazz")
    each = torch.cat([other.mean(dim=1), other.std(dim=1, correction=0)], dim=1)
    torch.testing.assert_close(found, each)  # of so few mels each is a band

    def made(style: torch.Tensor) -> torch.Tensor:
        complete = own.complete(style, generator=torch.Generator().manual_seed(1))
        return own.transfer(mel, source="classical", target="jazz", style=complete)

    assert not torch.allclose(made(found), made(found + 1))


def test_nothing_flies_within_a_style() -> None:
    own = twin().eval()
    mel = torch.rand(1, 40, 8)
    noise = own.usual_style("jazz", generator=torch.Generator().manual_seed(1))
    same = own.transfer(mel, source="jazz", target="jazz", style=noise)
    assert torch.equal(same, own.reconstruct(mel, "jazz"))


def test_pairs_that_are_none_teach_no_flight() -> None:
    own = twin().eval()
    batch = {style: torch.rand(2, 16, 8) for style in STYLES}

    def flow(aligned: list[float]) -> float:
        torch.manual_seed(5)
        return own.losses(batch, own(batch, aligned=torch.tensor(aligned)))[FLOW].item()

    assert flow([0, 0]) == 0.0
    assert flow([1, 1]) == pytest.approx((flow([1, 0]) + flow([0, 1])) / 2)


def test_a_flight_bends_no_encoder() -> None:
    """Its goal could shrink, and what it is told is the goal of the way back."""
    own = twin()
    batch = {style: torch.rand(2, 16, 8) for style in STYLES}
    own.losses(batch, own(batch))[FLOW].backward()
    assert all(weight.grad is None for weight in own.encoders.parameters())
    assert own.velocity.leave[1].weight.grad.abs().max() > 0


@pytest.mark.parametrize("t", [0.0, 0.2, 0.5, 1.0])
def test_a_flow_that_knows_nothing_misses_by_one(t: float) -> None:
    """Whatever the time, so that none outweighs another; the mean is all it can say."""
    torch.manual_seed(0)
    own = twin()
    noise, goal = torch.randn(2, 400, 100, 3)
    at, size = torch.lerp(noise, goal, t), size_at(torch.tensor([t]))
    with torch.no_grad():
        nothing = torch.zeros(1, own.n_manner)
        velocity = own.heading(
            at, t=torch.full((400,), t), content=0 * at, manner=nothing.expand(400, -1), into="jazz"
        )
    missed = size * (velocity - (goal - noise))
    assert missed.square().mean().item() == pytest.approx(1, abs=0.02)
    assert (missed * at).mean().item() == pytest.approx(0, abs=0.02)  # nothing more is in `at`


def test_autoencoders_begin_as_the_principal_components() -> None:
    """Nothing linear of this size could keep more (scikit-learn finds the same)."""
    own = twin().eval()
    mel = torch.randn(40, 64, 8) @ torch.randn(8, 8) + torch.randn(8)
    own.begin_on({"classical": mel, "jazz": mel.flip(0)})
    columns = columns_of(mel[:, None], own.config.patch).flatten(0, 1).numpy()
    pca = PCA(own.config.n_latent).fit(columns)
    kept = torch.from_numpy(pca.inverse_transform(pca.transform(columns))).view(40, 64, 8)
    for style in STYLES:
        torch.testing.assert_close(own.reconstruct(mel, style), kept, rtol=1e-3, atol=1e-3)


def test_other_views_count_for_nothing_at_first() -> None:
    mel = torch.rand(20, 32, 8)
    shown = [
        twin(dataclasses.replace(FEW, features=names)) for names in (("mel",), ("mfcc", "mel"))
    ]
    for own in shown:
        own.begin_on({"jazz": mel})
    torch.testing.assert_close(*(own.content(mel, "jazz") for own in shown))


# --- a corpus of versions -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Five pieces of two segments in both styles, jazz half as loud; and one in each of its own."""
    root = tmp_path_factory.mktemp("versions")
    for style, gain in zip(STYLES, (1.0, 0.5), strict=True):
        (root / style).mkdir()
        for number in range(5):
            wave = music(number, 2 * SEGMENT)
            wave[SEGMENT:] *= 0.1  # so that segments differ, and only places that belong together
            sf.write(root / style / f"{number}.wav", gain * wave, SR, subtype="FLOAT")
        sf.write(root / style / f"only {style}.wav", music(len(style), SEGMENT), SR)
    sources = [f"{style}={root / style}" for style in STYLES]
    list(preparing.prepare(preparing.find(sources, paired=True), root / "corpus", n_jobs=1))
    return Corpus.open(root / "corpus")


def test_versions_are_shown_at_one_place_and_the_others_as_random_pairs(versions: Corpus) -> None:
    shown = Versions(versions, TRAIN, seed=0)
    n_aligned = sum(one.n_segments for one, _ in versions.aligned(TRAIN))
    items = [shown[k] for k in range(len(shown))]
    assert sum(int(one[ALIGNED]) for one in items) == n_aligned
    for one in items:
        same = torch.allclose(one["classical"], one["jazz"], rtol=0.02)
        assert same == bool(one[ALIGNED])
    orders = [
        [float(s[k]["jazz"].sum()) for k in range(len(s))]
        for s in (
            shown,
            Versions(versions, TRAIN, seed=0),
            Versions(versions, TRAIN, seed=0, epoch=1),
        )
    ]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])


def test_it_is_judged_on_versions_alone(versions: Corpus) -> None:
    shown = training.pairs_for(twin(SMALL), versions, VALIDATION)
    assert len(shown) > 0 and all(shown[k][ALIGNED] == 1 for k in range(len(shown)))


def test_it_trains_and_its_best_epoch_is_the_one_that_flies_best(
    versions: Corpus, tmp_path: Path
) -> None:
    pytest.importorskip("accelerate", reason="training needs the extra [train]")
    pytest.importorskip("tensorboard", reason="training needs the extra [train]")
    from thirdstream.mel import run as runs

    config = training.TrainingConfig(epochs=3, batch_size=2, lr=2e-3)
    state = training.begin("twin-paired", SMALL, versions, config)
    ends = [s for s in runs.train(state, versions, config, tmp_path) if s.validation is not None]
    assert ends[-1].validation[RECONSTRUCTION] < ends[0].validation[RECONSTRUCTION]
    assert state.best == min(step.validation[FLOW] for step in ends)


def test_without_versions_it_is_refused_and_leaves_nothing(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    pytest.importorskip("accelerate", reason="training needs the extra [train]")
    from thirdstream.mel import run as runs

    config = training.TrainingConfig(epochs=1, batch_size=2)
    state = training.begin("twin-paired", SMALL, small_corpus, config)
    with pytest.raises(training.TrainingError, match="prepare it with --paired"):
        next(runs.train(state, small_corpus, config, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# --- what it hears ------------------------------------------------------------------------------


def test_silence_stays_silent_and_power_stays_power() -> None:
    assert not weathered(torch.zeros(2, 20, 256), MEL).any()
    worn = weathered(torch.rand(3, 20, 256), MEL)
    assert worn.shape == (3, 20, 256) and worn.isfinite().all() and (worn >= 0).all()


def test_one_seed_is_one_weather_and_every_item_has_its_own() -> None:
    power = torch.rand(1, 20, 256).expand(2, 20, 256)
    torch.manual_seed(4)
    one = weathered(power, MEL)
    torch.manual_seed(4)
    assert torch.equal(one, weathered(power, MEL)) and not torch.allclose(one[0], one[1])


def test_without_its_parts_the_weather_changes_nothing(monkeypatch) -> None:
    for name in ("EQUALISER_DB", "LEVEL_DB", "DETUNE_CENTS", "WET"):
        monkeypatch.setattr(augment, name, 0.0)
    monkeypatch.setattr(augment, "NOISE_DB", (-200.0, -200.0))
    power = torch.rand(2, 20, 256)
    torch.testing.assert_close(weathered(power, MEL), power, rtol=1e-4, atol=1e-5)


def test_a_room_only_adds_and_only_afterwards(monkeypatch) -> None:
    power = torch.zeros(1, 40, 256)
    power[:, 10] = 1.0
    wet = augment._in_a_room(power, MEL)
    assert not wet[:, :10].any() and torch.allclose(wet[:, 10], power[:, 10])
    assert (wet[:, 11:].diff(dim=1) <= 0).all() and wet.sum() <= (1 + augment.WET) * power.sum()


def test_detuning_moves_a_tone_by_as_much_as_it_says(monkeypatch) -> None:
    monkeypatch.setattr(augment, "DETUNE_CENTS", 1200.0)
    monkeypatch.setattr(torch, "randn", lambda *size, **_: torch.ones(*size))  # an octave up
    power = torch.zeros(1, 1, 256)
    power[..., 40] = 1.0
    hz = librosa.mel_frequencies(258, fmin=0, fmax=SR / 2)[1:-1]
    moved = augment._detuned(power, MEL)[0, 0]
    assert hz[int(moved.argmax())] == pytest.approx(2 * hz[40], rel=0.02)
