"""The twin that learns from pairs: networks along time, embedding, index, augmentation."""

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
from thirdstream.data.corpus import ALIGNED, TRAIN, VALIDATION, Corpus, CorpusError, Versions
from thirdstream.mel.features import augmentation
from thirdstream.mel.features.augmentation import augmented
from thirdstream.mel.features.chroma import N_CHROMA, chroma, onset_strength
from thirdstream.mel.features.logmel import LogMel, MelConfig
from thirdstream.mel.models.model import (
    MAX_SIZE,
    MODEL,
    RECONSTRUCTION,
    WINDOW_FRAMES,
    Batch,
    weighted_sum,
)
from thirdstream.mel.models.paired import CONTRASTIVE, TwinPaired, contrastive_loss, travel_loss
from thirdstream.mel.models.retrieval import (
    CONTEXT,
    FADE,
    INT8_MAX,
    N_CANDIDATES,
    STRIDE,
    UNIT,
    Index,
    Parts,
    chroma_onsets,
    cross_faded,
    keys_of,
)
from thirdstream.mel.models.travel import TRAVEL
from thirdstream.mel.networks.frames import ConvNeXtBlock, FrameDecoder, FrameEncoder, columns_of
from thirdstream.mel.training import loop as training

SMALL = dataclasses.replace(
    TwinPaired.PRESETS["default"],
    channels=16, latent_channels=3, kernel_size=3, n_convs=1, contrastive_channels=16,
    n_index_segments=8,
)  # fmt: skip
FEW = dataclasses.replace(SMALL, n_mels=8)
MEL = MelConfig()


def twin(config=FEW) -> TwinPaired:
    torch.manual_seed(0)
    return TwinPaired(STYLES, config)


# --- networks along time ------------------------------------------------------------------------


def test_a_block_starts_as_the_identity_and_then_learns() -> None:
    block, x = ConvNeXtBlock(6, kernel_size=5), torch.rand(2, 9, 6)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.dense[2].weight.grad is not None and block.dense[2].weight.grad.abs().max() > 0


def test_dilated_blocks_reach_as_far_as_they_say() -> None:
    shape = {"n_mels": 2, "latent_channels": 3, "patch": 1, "kernel_size": 7, "n_blocks": 4}
    encoder = FrameEncoder(16, dilations=(1, 2), **shape)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    mel = torch.randn(1, 1, 101, 2, requires_grad=True)
    encoder(mel)[0, :, 50].sum().backward()
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
    first = [{"classical": one, "jazz": one.flip(0)} for one in mel.split(20)]
    own.initialise(lambda n: first)
    columns = columns_of(mel[:, None], own.config.patch).flatten(0, 1).numpy()
    pca = PCA(own.config.latent_channels).fit(columns)
    kept = torch.from_numpy(pca.inverse_transform(pca.transform(columns))).view(40, 64, 8)
    for style in STYLES:
        torch.testing.assert_close(own.reconstruct(mel, style), kept, rtol=1e-3, atol=1e-3)


def test_other_features_count_for_nothing_at_first() -> None:
    mel = {style: torch.rand(20, 32, 8) for style in STYLES}
    views = (("mel",), ("mfcc", "mel"))
    shown = [twin(dataclasses.replace(FEW, features=names)) for names in views]
    for own in shown:
        own.initialise(lambda n: [mel])
    codes = [own.encode(mel["jazz"], "jazz") for own in shown]
    torch.testing.assert_close(*codes)


# --- the latent space ---------------------------------------------------------------------------


def embedded(*, seed: int) -> torch.Tensor:
    """Embeddings of five segments of four contexts each."""
    return torch.randn(5, 16, 4 * CONTEXT, 1, generator=torch.Generator().manual_seed(seed))


def test_versions_that_lie_together_surprise_nobody_and_strangers_by_as_much_as_chance() -> None:
    one, other = embedded(seed=0), embedded(seed=1)
    together = contrastive_loss({"classical": one, "jazz": 3 * one})  # a context's length is 1
    n_contexts = 5 * 7
    assert together < 0.01 * math.log(n_contexts)
    assert contrastive_loss({"classical": one, "jazz": other}) > 0.9 * math.log(n_contexts)
    same = torch.ones_like(one)
    blind = contrastive_loss({"classical": same, "jazz": same})
    assert blind.item() == pytest.approx(math.log(n_contexts), rel=1e-5)


def test_pairs_that_are_none_need_not_agree() -> None:
    one, other = embedded(seed=0), embedded(seed=1)
    other[2] = one[2]
    embeddings = {"classical": one, "jazz": other}
    versions = contrastive_loss(embeddings, torch.tensor([0.0, 0, 1, 0, 0]))
    assert versions < 0.1 * contrastive_loss(embeddings)
    assert contrastive_loss(embeddings, torch.zeros(5)) == 0


def test_encoders_learn_to_agree_on_what_two_kinds_of_music_have_in_common() -> None:
    """The same hidden melody, through another random instrument in each style."""
    torch.manual_seed(0)
    own = twin(dataclasses.replace(FEW, embedding_size=8))
    sound = {style: torch.randn(4, 8) for style in STYLES}
    optimizer = torch.optim.Adam(own.contrastive_encoders.parameters(), lr=3e-3)

    def batch() -> dict[str, torch.Tensor]:
        melody = torch.randn(4, 3, 4).repeat_interleave(32, dim=1)
        return {style: (melody @ of).exp().log1p() for style, of in sound.items()}

    def apart() -> torch.Tensor:
        mels = batch()
        return own(Batch(mels, mels))[CONTRASTIVE]

    before = apart().item()
    for _ in range(150):
        optimizer.zero_grad()
        apart().backward()
        optimizer.step()
    assert apart().item() < 0.6 * before


def test_the_contrastive_loss_bends_no_autoencoder_and_reconstruction_no_embedding() -> None:
    own = twin()
    mels = {style: torch.rand(2, 40, 8) for style in STYLES}
    for loss, idle in (
        (CONTRASTIVE, (own.encoders, own.decoders)),
        (RECONSTRUCTION, (own.contrastive_encoders,)),
    ):
        own.zero_grad()
        own(Batch(mels, mels))[loss].backward()
        grads = [one.grad for part in idle for one in part.parameters()]
        assert all(grad is None or not grad.any() for grad in grads)


def test_what_is_retrieved_for_itself_does_not_travel() -> None:
    own, other, alone = embedded(seed=0), embedded(seed=1), torch.zeros(5)
    still = travel_loss(dict.fromkeys(STYLES, own), alone)
    assert still < 0.1 * travel_loss(dict(zip(STYLES, (own, other), strict=True)), alone)


def test_only_what_has_no_version_travels() -> None:
    embeddings = {style: embedded(seed=seed) for seed, style in enumerate(STYLES)}
    assert travel_loss(embeddings) == travel_loss(embeddings, torch.ones(5)) == 0
    one, other = torch.tensor([0.0, 0, 0, 1, 1]), torch.tensor([0.0, 0, 1, 1, 1])
    assert travel_loss(embeddings, one) != travel_loss(embeddings, other)


def test_the_travel_loss_reaches_both_embeddings_where_it_counts() -> None:
    assert TRAVEL not in twin()(strangers())
    own = twin(dataclasses.replace(FEW, weights={**(FEW.weights or {}), TRAVEL: 0.5}))
    losses = own(strangers())
    losses[TRAVEL].backward()
    for style in STYLES:
        assert any(
            p.grad is not None and p.grad.any()
            for p in own.contrastive_encoders[style].parameters()
        )
        assert not any(
            p.grad is not None and p.grad.any() for p in own.encoders[style].parameters()
        )
    expected = losses[RECONSTRUCTION] + losses[CONTRASTIVE] + 0.5 * losses[TRAVEL]
    torch.testing.assert_close(weighted_sum(losses, own.loss_weights(MODEL)), expected)


def strangers() -> Batch:
    """Three pairs that are no versions of one another."""
    mels = {style: torch.rand(3, 40, 8) for style in STYLES}
    return Batch(mels, mels, torch.zeros(3))


def test_embeddings_are_of_the_augmented_input_and_reconstructions_of_the_recordings() -> None:
    own = twin()
    mels, other = ({style: torch.rand(3, 40, 8) for style in STYLES} for _ in range(2))
    plain, changed = own(Batch(mels, mels)), own(Batch(mels, other))
    assert plain[RECONSTRUCTION] == changed[RECONSTRUCTION]
    assert plain[CONTRASTIVE] != changed[CONTRASTIVE]


# --- the index ----------------------------------------------------------------------------------


def indexing(mels: dict[str, torch.Tensor]) -> TwinPaired:
    """A twin with both embeddings alike, whose indices hold `mels` and nothing else."""
    own = twin(dataclasses.replace(FEW, latent_channels=16, n_index_segments=8)).eval()
    classical, jazz = (own.contrastive_encoders[style] for style in STYLES)
    torch.nn.init.zeros_(classical.enter.bias)
    torch.nn.init.normal_(classical.enter.weight)  # so that no two units are alike
    jazz.load_state_dict(classical.state_dict())
    own.initialise(lambda n: [mels])
    own.build_index([mels])
    return own


def test_for_what_is_indexed_the_other_version_is_retrieved() -> None:
    torch.manual_seed(0)
    classical = torch.randn(5, WINDOW_FRAMES, 8)
    jazz = 2 - classical.flip(2)
    own = indexing({"classical": classical, "jazz": jazz})
    of_classical = own.parts(classical, "classical")
    for start in (0, 5):
        own.index_of("jazz").add(start, of_classical._replace(code=own.encode(jazz, "jazz")))
    straight = torch.zeros(1, own.config.embedding_size)
    made = own.transfer(classical, source="classical", target="jazz", condition=straight)
    n_frames = 4 * UNIT  # of a unit; the first and the last have nothing on one side
    inner = slice(n_frames + 4 * FADE, (WINDOW_FRAMES // n_frames - 1) * n_frames)
    expected = own.reconstruct(jazz, "jazz")
    assert (made - expected)[:, inner].abs().max() < 0.1 * jazz.std()


def test_units_fade_into_each_other_and_what_goes_on_is_left_as_it_is() -> None:
    whole = torch.randn(1, 3 * UNIT + FADE, 2)
    cut = torch.stack([whole[:, k * UNIT :][:, : UNIT + FADE] for k in range(3)], dim=1)
    torch.testing.assert_close(cross_faded(cut), whole[:, : 3 * UNIT])
    steps = torch.tensor([0.0, 1, 1])[None, :, None, None].expand(1, 3, UNIT + FADE, 1)
    line = cross_faded(steps)[0, :, 0]
    assert not line[:UNIT].any() and (line[UNIT + FADE :] == 1).all()
    assert (line.diff() >= 0).all() and line.diff().max() < 0.5


def parts_of(code: torch.Tensor) -> Parts:
    """Segments with this code and any embedding, chroma and onsets."""
    n, time = code.shape[0], code.shape[2]
    return Parts(
        code, torch.randn(n, FEW.embedding_size, time, 1), torch.rand(n, N_CHROMA + 1, time, 1)
    )


def index_for(n_segments: int) -> Index:
    """An empty index."""
    return twin().new_index(n_segments)


def test_codes_are_indexed_to_half_a_step() -> None:
    index = index_for(8)
    code = torch.randn(3, 3, 65, 1)
    index.add(0, parts_of(code))
    kept = index.codes[:3] * index.scales[:3, None]
    most = code.abs().amax(dim=(2, 3))
    assert ((kept.mT - code[..., 0]).abs() <= most[:, :, None] / INT8_MAX / 2 + 1e-6).all()


def pool_of(n: int) -> Index:
    """An index of `n` segments whose code is their number, from 1."""
    pool = index_for(n)
    pool.add(0, parts_of(torch.arange(1.0, n + 1)[:, None, None, None].expand(n, 3, 65, 1)))
    return pool


def numbers_in(index: Index) -> list[int]:
    return (index.codes * index.scales[:, None])[:, 0, 0].round().int().tolist()


def test_what_is_nearest_to_most_queries_is_kept() -> None:
    pool, index = pool_of(9), index_for(3)
    often = pool.keys[[6, 1, 6, 4, 4, 1, 2]][:, :: UNIT // STRIDE]
    index.select(pool, 9, queries=often)
    assert numbers_in(index) == [2, 5, 7]
    assert torch.equal(index.keys, pool.keys[[1, 4, 6]])
    index.select(pool, 6, queries=often)  # nor does it look beyond those that it may
    assert {2, 5} < set(numbers_in(index)) <= set(range(1, 7))


def test_places_left_over_are_filled_and_segments_too_many_left_out() -> None:
    index, pool = index_for(5), pool_of(3)
    index.select(pool, 3, queries=pool.keys)
    assert numbers_in(index) == [1, 2, 3, 1, 2]
    assert torch.equal(index.keys, pool.keys[[0, 1, 2, 0, 1]])
    pool.add(2, parts_of(torch.ones(4, 3, 65, 1)))
    assert numbers_in(pool) == [1, 2, 1]


@pytest.mark.parametrize(("n_index_segments", "n_given"), [(MAX_SIZE, 3), (1, 2 * N_CANDIDATES)])
def test_any_number_may_be_indexed_of_any_that_are_given(
    n_index_segments: int, n_given: int
) -> None:
    own = twin(dataclasses.replace(FEW, n_index_segments=n_index_segments)).eval()
    own.build_index([{style: torch.rand(n_given, WINDOW_FRAMES, 8) for style in STYLES}])
    for style in STYLES:
        assert len(own.indices[style].codes) == n_index_segments
        assert own.indices[style].codes.any(dim=2).any(dim=1).all()


def test_of_contexts_with_one_embedding_the_one_with_its_chroma_and_rhythm_is_nearest() -> None:
    """The similarity of two contexts grows with each of the three, and is 1 with itself."""
    torch.manual_seed(0)
    query = parts_of(torch.zeros(1, 3, CONTEXT, 1))
    other = parts_of(torch.zeros(1, 3, CONTEXT, 1))
    classes, rhythm = N_CHROMA, 1
    own, strange = (one.chroma_onsets.split([classes, rhythm], dim=1) for one in (query, other))
    mixed = torch.cat([own[0], strange[1]], dim=1), torch.cat([strange[0], own[1]], dim=1)

    def similarity(parts: Parts) -> float:
        return float((keys_of(query, stride=1) * keys_of(parts, stride=1)).sum())

    stranger, same = similarity(other), similarity(query)
    assert same == pytest.approx(1, abs=1e-5)
    for features in mixed:
        assert stranger < similarity(other._replace(chroma_onsets=features)) < same
    assert stranger < similarity(query._replace(chroma_onsets=other.chroma_onsets)) < same


def test_contexts_lie_where_their_columns_are() -> None:
    """The context that begins in a column, alone, lies where it lies in the whole."""
    whole = parts_of(torch.zeros(2, 3, 4 * CONTEXT, 1))
    places_of = keys_of(whole, stride=2)
    assert places_of.shape[1] == (4 * CONTEXT - CONTEXT) // 2 + 1
    for number in (0, 3, places_of.shape[1] - 1):
        alone = Parts(*(part[:, :, 2 * number : 2 * number + CONTEXT] for part in whole))
        torch.testing.assert_close(keys_of(alone, stride=2)[:, 0], places_of[:, number])


def test_a_seed_is_a_version_and_other_noise_another_one() -> None:
    mels = {style: torch.rand(6, WINDOW_FRAMES, 8) for style in STYLES}
    own = indexing(mels)

    def made(seed: int) -> torch.Tensor:
        noise = own.default_condition("jazz", generator=torch.Generator().manual_seed(seed))
        mel = mels["classical"][:1]
        return own.transfer(mel, source="classical", target="jazz", condition=noise)

    assert torch.equal(made(1), made(1))
    assert any(not torch.equal(made(1), made(seed)) for seed in range(2, 8))


def test_windows_of_one_recording_cannot_have_their_units_at_other_places() -> None:
    with pytest.raises(ValueError, match="patch must be a divisor of 56"):
        twin(dataclasses.replace(FEW, patch=3))


def test_nothing_is_retrieved_within_a_style() -> None:
    own = twin().eval()
    mel, noise = torch.rand(1, 40, 8), torch.ones(1, FEW.embedding_size)
    same = own.transfer(mel, source="jazz", target="jazz", condition=noise)
    assert torch.equal(same, own.reconstruct(mel, "jazz"))


# --- chroma and onsets---------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [57, 60, 69, 76])
def test_chroma_is_the_pitch_class_of_a_tone_in_any_octave_it_reaches(pitch: int) -> None:
    log_mel = LogMel(MEL)
    time = torch.arange(SEGMENT) / SR
    for octave in (0, 12):
        hz = float(librosa.midi_to_hz(pitch + octave))
        mel = log_mel(0.1 * torch.sin(2 * math.pi * hz * time)[None])
        classes = chroma(mel)[0, 20:-20].mean(dim=0)
        assert int(classes.argmax()) == pitch % 12 and classes.min() >= 0


def test_noise_and_silence_have_no_chroma_to_speak_of() -> None:
    flat = chroma(torch.full((1, 4, 256), 2.0))
    assert flat.abs().max() < 1e-4 and not chroma(torch.zeros(1, 4, 256)).any()


def test_onsets_are_where_something_begins_and_not_at_the_start_of_a_window() -> None:
    mel = torch.zeros(1, 40, 8)
    mel[:, :10], mel[:, 20:30] = 1.0, 2.0
    found = onset_strength(mel)[0]
    assert found.nonzero().flatten().tolist() == [20] and found[20] == 2.0


def test_chroma_and_onsets_are_by_column_and_as_long_as_codes() -> None:
    for n_frames in (1, 4, 5, 259):
        found = chroma_onsets(torch.rand(2, n_frames, 8), 4)
        assert found.shape == (2, N_CHROMA + 1, -(-n_frames // 4), 1)


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


def test_it_is_validated_on_versions_alone(versions: Corpus) -> None:
    shown = TwinPaired.training_set(versions, VALIDATION)
    assert len(shown) > 0 and all(shown[k][ALIGNED] == 1 for k in range(len(shown)))


def test_it_trains_and_its_best_epoch_is_the_one_that_agrees_best(
    versions: Corpus, tmp_path: Path
) -> None:
    from thirdstream.mel.training import run as runs

    config = training.TrainingConfig(epochs=3, batch_size=2, lr=2e-3)
    state = training.begin("twin-paired", SMALL, versions, config)
    ends = [s for s in runs.train(state, versions, config, tmp_path) if s.validation is not None]
    assert ends[-1].validation[RECONSTRUCTION] < ends[0].validation[RECONSTRUCTION]
    assert state.best == min(step.validation[CONTRASTIVE] for step in ends)


def test_without_versions_it_is_refused_and_leaves_nothing(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    from thirdstream.mel.training import run as runs

    config = training.TrainingConfig(epochs=1, batch_size=2)
    state = training.begin("twin-paired", SMALL, small_corpus, config)
    with pytest.raises(CorpusError, match="prepare it with --paired"):
        next(runs.train(state, small_corpus, config, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# --- augmentation ------------------------------------------------------------------------------


def test_silence_stays_silent_and_power_stays_power() -> None:
    assert not augmented(torch.zeros(2, 20, 256), MEL).any()
    changed = augmented(torch.rand(3, 20, 256), MEL)
    assert changed.shape == (3, 20, 256) and changed.isfinite().all() and (changed >= 0).all()


def test_one_seed_is_one_draw_and_every_item_has_its_own() -> None:
    power = torch.rand(1, 20, 256).expand(2, 20, 256)
    torch.manual_seed(4)
    one = augmented(power, MEL)
    torch.manual_seed(4)
    assert torch.equal(one, augmented(power, MEL)) and not torch.allclose(one[0], one[1])


def test_without_its_parts_augmentation_changes_nothing(monkeypatch) -> None:
    for name in ("EQUALISER_DB", "LEVEL_DB", "DETUNE_CENTS", "WET"):
        monkeypatch.setattr(augmentation, name, 0.0)
    monkeypatch.setattr(augmentation, "NOISE_DB", (-200.0, -200.0))
    power = torch.rand(2, 20, 256)
    torch.testing.assert_close(augmented(power, MEL), power, rtol=1e-4, atol=1e-5)


def test_a_room_only_adds_and_only_afterwards(monkeypatch) -> None:
    power = torch.zeros(1, 40, 256)
    power[:, 10] = 1.0
    wet = augmentation._in_a_room(power, MEL)
    assert not wet[:, :10].any() and torch.allclose(wet[:, 10], power[:, 10])
    assert (wet[:, 11:].diff(dim=1) <= 0).all() and wet.sum() <= (
        1 + augmentation.WET
    ) * power.sum()


def test_detuning_moves_a_tone_by_as_much_as_it_says(monkeypatch) -> None:
    monkeypatch.setattr(augmentation, "DETUNE_CENTS", 1200.0)
    monkeypatch.setattr(torch, "randn", lambda *size, **_: torch.ones(*size))  # an octave up
    power = torch.zeros(1, 1, 256)
    power[..., 40] = 1.0
    hz = librosa.mel_frequencies(258, fmin=0, fmax=SR / 2)[1:-1]
    moved = augmentation._detuned(power, MEL)[0, 0]
    assert hz[int(moved.argmax())] == pytest.approx(2 * hz[40], rel=0.02)
