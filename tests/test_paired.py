"""The twin that learns from pairs, its networks along time, and what it hears in training."""

import dataclasses
import math
from pathlib import Path

import librosa
import pytest
import soundfile as sf
import torch
from sklearn.decomposition import PCA

from conftest import STYLES, music
from thirdstream.audio import SEGMENT, SR
from thirdstream.data import preparing
from thirdstream.data.corpus import ALIGNED, TRAIN, VALIDATION, Corpus, Versions
from thirdstream.mel.features.chroma import N_CLASSES, attacks, harmony
from thirdstream.mel.features.logmel import LogMel, MelConfig
from thirdstream.mel.models.paired import (
    AGREEMENT,
    CHOICE,
    FADE,
    FULL,
    MOMENT,
    SPAN,
    STRIDE,
    Memory,
    Parts,
    TwinPaired,
    disagreement,
    joined,
    marks,
    places,
    straying,
)
from thirdstream.mel.models.travel import TRAVEL
from thirdstream.mel.models.twin import HOP_FRAMES, MOST, RECONSTRUCTION, WINDOW_FRAMES, Pass
from thirdstream.mel.networks.frames import Along, FrameDecoder, FrameEncoder, columns_of
from thirdstream.mel.training import augment
from thirdstream.mel.training import loop as training
from thirdstream.mel.training.augment import weathered

SMALL = dataclasses.replace(
    TwinPaired.PRESETS["default"],
    channels=(16,), latent_channels=3, kernel_size=3, n_convs=1, ear_channels=16, n_remembered=8,
)  # fmt: skip
FEW = dataclasses.replace(SMALL, n_mels=8)
MEL = MelConfig()


def twin(config=FEW) -> TwinPaired:
    torch.manual_seed(0)
    return TwinPaired(STYLES, config)


# --- networks along time ------------------------------------------------------------------------


def test_a_block_starts_as_the_identity_and_then_learns() -> None:
    block, x = Along(6, kernel_size=5), torch.rand(2, 9, 6)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.dense[2].weight.grad is not None and block.dense[2].weight.grad.abs().max() > 0


def test_dilated_blocks_hear_as_far_as_they_say() -> None:
    shape = {"n_mels": 2, "latent_channels": 3, "patch": 1, "kernel_size": 7, "n_blocks": 4}
    ear = FrameEncoder(16, dilations=(1, 2), **shape)
    for parameter in ear.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    mel = torch.randn(1, 1, 101, 2, requires_grad=True)
    ear(mel)[0, :, 50].sum().backward()
    assert mel.grad is not None
    reached = mel.grad[0, 0].abs().sum(dim=1).nonzero()
    assert (reached.min(), reached.max()) == (
        50 - 18,
        50 + 18,
    )  # 3 taps to a side


@pytest.mark.parametrize("n_frames", [1, 3, 4, 5, 259])
def test_code_and_mel_have_the_right_sizes(n_frames: int) -> None:
    shape = {"n_mels": 8, "latent_channels": 3, "patch": 4, "kernel_size": 3, "n_blocks": 1}
    code = FrameEncoder(16, **shape)(torch.rand(2, 1, n_frames, 8))
    assert code.shape == (2, 3, -(-n_frames // 4), 1)
    assert FrameDecoder(16, **shape)(code, n_frames=n_frames).shape == (2, 1, n_frames, 8)


# --- the autoencoders ---------------------------------------------------------------------------


def test_autoencoders_begin_as_the_principal_components() -> None:
    """Nothing linear of this size could keep more (scikit-learn finds the same)."""
    own = twin().eval()
    mel = torch.randn(40, 64, 8) @ torch.randn(8, 8) + torch.randn(8)
    own.begin_on([{"classical": one, "jazz": one.flip(0)} for one in mel.split(20)])
    columns = columns_of(mel[:, None], own.config.patch).flatten(0, 1).numpy()
    pca = PCA(own.config.n_latent).fit(columns)
    kept = torch.from_numpy(pca.inverse_transform(pca.transform(columns))).view(40, 64, 8)
    for style in STYLES:
        torch.testing.assert_close(own.reconstruct(mel, style), kept, rtol=1e-3, atol=1e-3)


def test_other_views_count_for_nothing_at_first() -> None:
    mel = {style: torch.rand(20, 32, 8) for style in STYLES}
    views = (("mel",), ("mfcc", "mel"))
    shown = [twin(dataclasses.replace(FEW, features=names)) for names in views]
    for own in shown:
        own.begin_on([mel])
    codes = [own.parted(own.content(mel["jazz"], "jazz"))[0] for own in shown]
    torch.testing.assert_close(*codes)


# --- the latent space ---------------------------------------------------------------------------


def heard(*, seed: int) -> torch.Tensor:
    """What an ear might hear in five segments of four spans each."""
    return torch.randn(5, 16, 4 * SPAN, 1, generator=torch.Generator().manual_seed(seed))


def test_versions_that_lie_together_surprise_nobody_and_strangers_by_as_much_as_chance() -> None:
    one, other = heard(seed=0), heard(seed=1)
    together = disagreement({"classical": one, "jazz": 3 * one})  # a span's length is 1
    n_spans = 5 * 7
    assert together < 0.01 * math.log(n_spans)
    assert disagreement({"classical": one, "jazz": other}) > 0.9 * math.log(n_spans)
    same = torch.ones_like(one)
    blind = disagreement({"classical": same, "jazz": same})
    assert blind.item() == pytest.approx(math.log(n_spans), rel=1e-5)


def test_pairs_that_are_none_need_not_agree() -> None:
    one, other = heard(seed=0), heard(seed=1)
    other[2] = one[2]
    music = {"classical": one, "jazz": other}
    versions = disagreement(music, torch.tensor([0.0, 0, 1, 0, 0]))
    assert versions < 0.1 * disagreement(music)
    assert disagreement(music, torch.zeros(5)) == 0


def test_ears_learn_to_agree_on_what_two_kinds_of_music_have_in_common() -> None:
    """The same hidden melody, through another random instrument in each style."""
    torch.manual_seed(0)
    own = twin(dataclasses.replace(FEW, shared_channels=8))
    sound = {style: torch.randn(4, 8) for style in STYLES}
    optimizer = torch.optim.Adam(own.ears.parameters(), lr=3e-3)

    def batch() -> dict[str, torch.Tensor]:
        melody = torch.randn(4, 3, 4).repeat_interleave(32, dim=1)
        return {style: (melody @ of).exp().log1p() for style, of in sound.items()}

    def apart() -> torch.Tensor:
        mels = batch()
        return own.losses(mels, own(mels))[AGREEMENT]

    before = apart().item()
    for _ in range(150):
        optimizer.zero_grad()
        apart().backward()
        optimizer.step()
    assert apart().item() < 0.6 * before


def test_agreement_bends_no_autoencoder_and_reconstruction_no_ear() -> None:
    own = twin()
    mels = {style: torch.rand(2, 40, 8) for style in STYLES}
    for loss, idle in ((AGREEMENT, (own.encoders, own.decoders)), (RECONSTRUCTION, (own.ears,))):
        own.zero_grad()
        own.losses(mels, own(mels))[loss].backward()
        grads = [one.grad for part in idle for one in part.parameters()]
        assert all(grad is None or not grad.any() for grad in grads)


def test_what_is_answered_by_itself_does_not_stray() -> None:
    own, other, alone = heard(seed=0), heard(seed=1), torch.zeros(5)
    still = straying(dict.fromkeys(STYLES, own), alone)
    assert still < 0.1 * straying(dict(zip(STYLES, (own, other), strict=True)), alone)


def test_only_what_has_no_version_travels() -> None:
    music = {style: heard(seed=seed) for seed, style in enumerate(STYLES)}
    assert straying(music) == straying(music, torch.ones(5)) == 0
    one, other = torch.tensor([0.0, 0, 0, 1, 1]), torch.tensor([0.0, 0, 1, 1, 1])
    assert straying(music, one) != straying(music, other)


def test_the_way_is_taught_to_both_ears_where_it_counts() -> None:
    assert TRAVEL not in twin().losses(*both_ways(twin()))
    own = twin(dataclasses.replace(FEW, weights={**(FEW.weights or {}), TRAVEL: 0.5}))
    mels, passes = both_ways(own)
    losses = own.losses(mels, passes)
    losses[TRAVEL].backward()
    for style in STYLES:
        assert any(p.grad is not None and p.grad.any() for p in own.ears[style].parameters())
        assert not any(
            p.grad is not None and p.grad.any() for p in own.encoders[style].parameters()
        )
    expected = losses[RECONSTRUCTION] + losses[AGREEMENT] + 0.5 * losses[TRAVEL]
    torch.testing.assert_close(own.total(losses), expected)


def both_ways(own: TwinPaired) -> tuple[dict[str, torch.Tensor], dict[str, Pass]]:
    """Mels and their passes, of three pairs that are no versions of one another."""
    mels = {style: torch.rand(3, 40, 8) for style in STYLES}
    return mels, own(mels, aligned=torch.zeros(3))


# --- the memory ---------------------------------------------------------------------------------


def knowing(mels: dict[str, torch.Tensor]) -> TwinPaired:
    """A twin with both ears alike, that remembers `mels` and nothing else."""
    own = twin(dataclasses.replace(FEW, latent_channels=16, n_remembered=8)).eval()
    torch.nn.init.zeros_(own.ears["classical"].enter.bias)
    torch.nn.init.normal_(own.ears["classical"].enter.weight)  # so that no two moments are alike
    own.ears["jazz"].load_state_dict(own.ears["classical"].state_dict())
    own.begin_on([mels])
    own.remember([mels])
    return own


def test_what_it_remembers_it_answers_with_the_other_version() -> None:
    torch.manual_seed(0)
    classical = torch.randn(5, WINDOW_FRAMES, 8)
    jazz = 2 - classical.flip(2)
    own = knowing({"classical": classical, "jazz": jazz})
    memory = own.memories["jazz"]
    of_classical = own.parted(own.content(classical, "classical"))
    for start in (0, 5):
        memory.take(start, of_classical._replace(sound=own.parted(own.content(jazz, "jazz")).sound))
    straight = torch.zeros(1, own.config.shared_channels)
    made = own.transfer(classical, source="classical", target="jazz", style=straight)
    n_frames = 4 * MOMENT  # of a moment; the first and the last have nothing on one side
    inner = slice(n_frames + 4 * FADE, (WINDOW_FRAMES // n_frames - 1) * n_frames)
    expected = own.reconstruct(jazz, "jazz")
    assert (made - expected)[:, inner].abs().max() < 0.1 * jazz.std()


def test_answers_fade_into_each_other_and_what_goes_on_is_left_as_it_is() -> None:
    whole = torch.randn(1, 3 * MOMENT + FADE, 2)
    cut = torch.stack([whole[:, k * MOMENT :][:, : MOMENT + FADE] for k in range(3)], dim=1)
    torch.testing.assert_close(joined(cut), whole[:, : 3 * MOMENT])
    steps = torch.tensor([0.0, 1, 1])[None, :, None, None].expand(1, 3, MOMENT + FADE, 1)
    line = joined(steps)[0, :, 0]
    assert not line[:MOMENT].any() and (line[MOMENT + FADE :] == 1).all()
    assert (line.diff() >= 0).all() and line.diff().max() < 0.5


def parts_of(sound: torch.Tensor) -> Parts:
    """Segments with this sound, in which anything may be heard."""
    n, time = sound.shape[0], sound.shape[2]
    return Parts(
        sound, torch.randn(n, FEW.shared_channels, time, 1), torch.rand(n, N_CLASSES + 1, time, 1)
    )


def test_codes_are_remembered_to_half_a_step() -> None:
    memory = Memory(FEW)
    sound = torch.randn(3, 3, 65, 1)
    memory.take(0, parts_of(sound))
    kept = memory.codes[:3] * memory.steps[:3, None]
    most = sound.abs().amax(dim=(2, 3))
    assert ((kept.mT - sound[..., 0]).abs() <= most[:, :, None] / FULL / 2 + 1e-6).all()


def pool_of(n: int) -> Memory:
    """A memory of `n` segments whose sound is their number, from 1."""
    torch.manual_seed(0)
    pool = Memory(dataclasses.replace(FEW, n_remembered=n))
    pool.take(0, parts_of(torch.arange(1.0, n + 1)[:, None, None, None].expand(n, 3, 65, 1)))
    return pool


def numbers_in(memory: Memory) -> list[int]:
    return (memory.codes * memory.steps[:, None])[:, 0, 0].round().int().tolist()


def test_what_answers_most_is_remembered() -> None:
    pool, memory = pool_of(9), Memory(dataclasses.replace(FEW, n_remembered=3))
    often = pool.keys[[6, 1, 6, 4, 4, 1, 2]][:, :: MOMENT // STRIDE]
    memory.keep(pool, 9, asked=often)
    assert numbers_in(memory) == [2, 5, 7]
    assert torch.equal(memory.keys, pool.keys[[1, 4, 6]])
    memory.keep(pool, 6, asked=often)  # nor does it look beyond those that it may
    assert {2, 5} < set(numbers_in(memory)) <= set(range(1, 7))


def test_places_left_over_are_filled_and_segments_too_many_left_out() -> None:
    memory, pool = Memory(dataclasses.replace(FEW, n_remembered=5)), pool_of(3)
    memory.keep(pool, 3, asked=pool.keys)
    assert numbers_in(memory) == [1, 2, 3, 1, 2]
    assert torch.equal(memory.keys, pool.keys[[0, 1, 2, 0, 1]])
    pool.take(2, parts_of(torch.ones(4, 3, 65, 1)))
    assert numbers_in(pool) == [1, 2, 1]


@pytest.mark.parametrize(("n_remembered", "n_heard"), [(MOST, 3), (1, 2 * CHOICE)])
def test_any_number_may_be_remembered_of_any_that_are_heard(
    n_remembered: int, n_heard: int
) -> None:
    own = twin(dataclasses.replace(FEW, n_remembered=n_remembered)).eval()
    assert own.n_to_hear == CHOICE * n_remembered
    own.remember([{style: torch.rand(n_heard, WINDOW_FRAMES, 8) for style in STYLES}])
    for style in STYLES:
        assert len(own.memories[style].codes) == n_remembered
        assert own.memories[style].codes.any(dim=2).any(dim=1).all()


def test_of_spans_alike_to_the_ear_the_one_with_its_harmony_and_rhythm_is_next() -> None:
    """The likeness of two spans grows with each of the three, and is 1 with itself."""
    torch.manual_seed(0)
    asked = parts_of(torch.zeros(1, 3, SPAN, 1))
    other = parts_of(torch.zeros(1, 3, SPAN, 1))
    classes, rhythm = N_CLASSES, 1
    own, strange = (one.marks.split([classes, rhythm], dim=1) for one in (asked, other))
    mixed = torch.cat([own[0], strange[1]], dim=1), torch.cat([strange[0], own[1]], dim=1)

    def likeness(parts: Parts) -> float:
        return float((places(asked, stride=1) * places(parts, stride=1)).sum())

    stranger, same = likeness(other), likeness(asked)
    assert same == pytest.approx(1, abs=1e-5)
    for marks_of in mixed:
        assert stranger < likeness(other._replace(marks=marks_of)) < same
    assert stranger < likeness(asked._replace(marks=other.marks)) < same


def test_spans_lie_where_their_columns_are() -> None:
    """The span that begins in a column, alone, lies where it lies in the whole."""
    whole = parts_of(torch.zeros(2, 3, 4 * SPAN, 1))
    places_of = places(whole, stride=2)
    assert places_of.shape[1] == (4 * SPAN - SPAN) // 2 + 1
    for number in (0, 3, places_of.shape[1] - 1):
        alone = Parts(*(part[:, :, 2 * number : 2 * number + SPAN] for part in whole))
        torch.testing.assert_close(places(alone, stride=2)[:, 0], places_of[:, number])


def test_a_seed_is_a_version_and_another_drift_another_answer() -> None:
    mels = {style: torch.rand(6, WINDOW_FRAMES, 8) for style in STYLES}
    own = knowing(mels)

    def made(seed: int) -> torch.Tensor:
        drift = own.usual_style("jazz", generator=torch.Generator().manual_seed(seed))
        mel = mels["classical"][:1]
        return own.transfer(mel, source="classical", target="jazz", style=drift)

    assert torch.equal(made(1), made(1))
    assert any(not torch.equal(made(1), made(seed)) for seed in range(2, 8))


def test_windows_of_one_recording_have_their_moments_at_the_same_places() -> None:
    assert HOP_FRAMES % (MOMENT * TwinPaired.PRESETS["default"].patch) == 0
    with pytest.raises(ValueError, match="no multiple"):
        twin(dataclasses.replace(FEW, patch=3))


def test_nothing_is_answered_within_a_style() -> None:
    own = twin().eval()
    mel, drift = torch.rand(1, 40, 8), torch.ones(1, FEW.shared_channels)
    same = own.transfer(mel, source="jazz", target="jazz", style=drift)
    assert torch.equal(same, own.reconstruct(mel, "jazz"))


# --- landmarks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [57, 60, 69, 76])
def test_harmony_is_the_pitch_class_of_a_tone_in_any_octave_it_reaches(pitch: int) -> None:
    log_mel = LogMel(MEL)
    time = torch.arange(SEGMENT) / SR
    for octave in (0, 12):
        hz = float(librosa.midi_to_hz(pitch + octave))
        mel = log_mel(0.1 * torch.sin(2 * math.pi * hz * time)[None])
        classes = harmony(mel)[0, 20:-20].mean(dim=0)
        assert int(classes.argmax()) == pitch % 12 and classes.min() >= 0


def test_noise_and_silence_have_no_harmony_to_speak_of() -> None:
    flat = harmony(torch.full((1, 4, 256), 2.0))
    assert flat.abs().max() < 1e-4 and not harmony(torch.zeros(1, 4, 256)).any()


def test_attacks_are_where_something_begins_and_not_at_the_start_of_a_window() -> None:
    mel = torch.zeros(1, 40, 8)
    mel[:, :10], mel[:, 20:30] = 1.0, 2.0
    found = attacks(mel)[0]
    assert found.nonzero().flatten().tolist() == [20] and found[20] == 2.0


def test_marks_are_by_column_and_as_long_as_codes() -> None:
    for n_frames in (1, 4, 5, 259):
        found = marks(torch.rand(2, n_frames, 8), 4)
        assert found.shape == (2, N_CLASSES + 1, -(-n_frames // 4), 1)


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


def test_it_trains_and_its_best_epoch_is_the_one_that_agrees_best(
    versions: Corpus, tmp_path: Path
) -> None:
    from thirdstream.mel.training import run as runs

    config = training.TrainingConfig(epochs=3, batch_size=2, lr=2e-3)
    state = training.begin("twin-paired", SMALL, versions, config)
    ends = [s for s in runs.train(state, versions, config, tmp_path) if s.validation is not None]
    assert ends[-1].validation[RECONSTRUCTION] < ends[0].validation[RECONSTRUCTION]
    assert state.best == min(step.validation[AGREEMENT] for step in ends)


def test_without_versions_it_is_refused_and_leaves_nothing(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    from thirdstream.mel.training import run as runs

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
