"""Systems with published networks, on tiny ones with random weights that are made here."""

import importlib
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from huggingface_hub import constants

from conftest import music, tone
from test_cli import run
from thirdstream import audio, packages, registry
from thirdstream.audio import SR
from thirdstream.evaluation.evaluate import entries_of
from thirdstream.evaluation.material import Material
from thirdstream.evaluation.summary import _about
from thirdstream.files import ThirdstreamError
from thirdstream.pretrained import chroma, encodec, musicgen, weights
from thirdstream.pretrained.encodec import Encodec
from thirdstream.pretrained.musicgen import Musicgen, prompt_of
from thirdstream.pretrained.options import EncodecOptions, MusicgenOptions
from thirdstream.web.description import describe
from thirdstream.web.server import offered
from thirdstream.web.worker import Worker

transformers = weights.import_transformers(encodec.PUBLISHED)
RATE = 8_000  # Hz, of the tiny networks
N_CODEBOOKS, CODEBOOK = 4, 16
WORDS = "<pad> </s> <unk> A swinging jazz trio with piano and drums Classical music by a chamber"
MATERIAL = Material("", ("classical", "jazz"), {"classical": [], "jazz": []}, {})


def codec_config(**changes: Any) -> Any:
    """Of an EnCodec with 80 frames a second in 0.64 or 1.28 kbit/s: 2 or 4 tokens of 4 bits."""
    how = {
        "sampling_rate": RATE, "target_bandwidths": [0.64, 1.28], "hidden_size": 8,
        "num_filters": 2, "upsampling_ratios": [5, 5, 2, 2], "codebook_size": CODEBOOK,
        "codebook_dim": 8, "num_lstm_layers": 1, "kernel_size": 3, "last_kernel_size": 3,
    }  # fmt: skip
    return transformers.EncodecConfig(**how | changes)


def filled(codec: Any) -> Any:
    """A new EnCodec's codebooks are all zero."""
    for layer in codec.quantizer.layers:
        torch.nn.init.normal_(layer.codebook.embed)
    return codec


@pytest.fixture(scope="module")
def codec_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "codec"
    with torch.random.fork_rng(), weights.quietly():
        torch.manual_seed(0)
        filled(transformers.EncodecModel(codec_config())).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def musicgen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MusicGen of two frames a second, which knows a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("weights") / "musicgen"
    text = transformers.T5Config(
        vocab_size=32, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    decoder = transformers.MusicgenMelodyDecoderConfig
    with torch.random.fork_rng(), weights.quietly():
        torch.manual_seed(0)
        config = transformers.MusicgenMelodyConfig(
            text_encoder=text.to_dict(),
            audio_encoder=codec_config(
                target_bandwidths=[0.032], upsampling_ratios=[10, 10, 8, 5]
            ).to_dict(),
            decoder=decoder(
                vocab_size=CODEBOOK, hidden_size=16, num_hidden_layers=1, ffn_dim=16,
                num_attention_heads=2, num_codebooks=N_CODEBOOKS, pad_token_id=CODEBOOK,
                bos_token_id=CODEBOOK, initializer_factor=1.0,
            ).to_dict(),
        )  # fmt: skip
        network = transformers.MusicgenMelodyForConditionalGeneration(config)
        filled(network.audio_encoder)
        network.generation_config.update(
            pad_token_id=CODEBOOK, bos_token_id=CODEBOOK, decoder_start_token_id=CODEBOOK
        )
        network.save_pretrained(folder)
    words = {word: number for number, word in enumerate(dict.fromkeys(WORDS.split()))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, and the hub's cache: empty."""
    own = tmp_path / "own"
    monkeypatch.setenv("THIRDSTREAM_MODELS", str(own))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    weights.load.cache_clear()
    return own


# --- encodec ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bandwidth", "n_codebooks"), [(0.64, 2), (1.28, 4), (None, 4)])
def test_bits_are_those_of_the_tokens(
    codec_folder: Path, bandwidth: float | None, n_codebooks: int
) -> None:
    network = Encodec(Path()).network(codec_folder)
    wave = np.stack([music(0, RATE), music(1, RATE)])
    tokens = encodec.tokens_of(network, wave, bandwidth=bandwidth)
    assert tokens.shape == (2, n_codebooks, RATE // 100)
    assert tokens.min() >= 0 and tokens.max() < CODEBOOK
    bits = tokens[0].size * math.log2(CODEBOOK)  # of one second, one channel
    assert encodec.bits_per_second(network, tokens[:1]) == bits == 1000 * (bandwidth or 1.28)
    assert encodec.bits_per_second(network, tokens) == 2 * bits


def test_a_wave_is_its_tokens_and_no_more(codec_folder: Path) -> None:
    network = Encodec(Path()).network(codec_folder)
    wave = np.stack([music(0, RATE + 30), music(1, RATE + 30)])
    tokens = encodec.tokens_of(network, wave)
    made = encodec.wave_of(network, tokens)
    assert made.shape == (2, RATE + 100)  # whole frames
    np.testing.assert_array_equal(made, encodec.wave_of(network, tokens.copy()))
    alone = encodec.tokens_of(network, wave[1:])
    np.testing.assert_array_equal(alone, tokens[1:])
    other = tokens.copy()
    other[0, 0, 50] = (other[0, 0, 50] + 1) % CODEBOOK
    assert not np.allclose(encodec.wave_of(network, other)[0], made[0])


def test_the_tokens_are_those_of_the_whole_model(codec_folder: Path) -> None:
    """As EncodecModel codes what its own feature extractor gives it."""
    network, wave = Encodec(Path()).network(codec_folder), music(0, RATE)
    extractor = transformers.EncodecFeatureExtractor(sampling_rate=RATE)
    inputs = extractor(wave, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        told = network(**inputs, bandwidth=1.28)
    tokens = encodec.tokens_of(network, wave[None])
    np.testing.assert_array_equal(told.audio_codes[0].numpy(), tokens)
    np.testing.assert_allclose(
        told.audio_values[0].numpy(), encodec.wave_of(network, tokens), atol=1e-6
    )


@pytest.mark.parametrize("shape", [(800,), (1, 700), (2, 12 * 16_000)])
def test_a_coded_recording_is_as_long(codec_folder: Path, shape: tuple[int, ...]) -> None:
    wave = np.broadcast_to(music(0, shape[-1], sr=16_000), shape).copy()
    system = registry.load("encodec")
    made = system.transfer(wave, 16_000, to="jazz", weights=codec_folder)
    assert made.shape == shape
    assert np.abs(made[..., -1_000:]).max() > 0
    again = system.transfer(wave, 16_000, to="classical", weights=codec_folder, seed=3)
    np.testing.assert_array_equal(made, again)  # neither style nor chance has a part in it


def test_a_bandwidth_is_one_of_the_networks(codec_folder: Path) -> None:
    system = registry.load("encodec")
    with pytest.raises(ThirdstreamError, match=r"--bandwidth must be one of 0\.64, 1\.28 kbit/s"):
        system.choose(to="jazz", weights=codec_folder, bandwidth=6)
    published = SimpleNamespace(target_bandwidths=[1.5, 3.0, 6.0, 12.0, 24.0])
    assert encodec.bandwidth_of(published) == 6.0


def test_a_codec_for_stereo_is_refused(tmp_path: Path) -> None:
    config = codec_config(audio_channels=2, chunk_length_s=1.0, overlap=0.01, normalize=True)
    with weights.quietly():
        transformers.EncodecModel(config).save_pretrained(tmp_path / "stereo")
    with pytest.raises(ThirdstreamError, match="codes stereo by chunks; give one"):
        Encodec(Path()).network(tmp_path / "stereo")


# --- chroma -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hz", "pitch_class"), [(440.0, 9), (261.63, 0), (92.5, 6)])
def test_the_melody_of_a_sine_is_its_pitch_class(hz: float, pitch_class: int) -> None:
    found = chroma.melody(torch.from_numpy(tone(64_000, hz=hz, sr=32_000)), sr=32_000)
    assert found.shape == (1 + 64_000 // 4_096, 12)
    assert (found.argmax(1) == pitch_class).all() and (found.sum(1) == 1).all()


@pytest.mark.parametrize("n_samples", [5_000, 16_384, 100_001])
def test_the_melody_is_that_of_the_feature_extractor(n_samples: int) -> None:
    """Which is asked with what it would have of torchaudio: a normalised power spectrogram."""
    folder = "transformers.models.musicgen_melody"
    theirs = importlib.import_module(f"{folder}.feature_extraction_musicgen_melody")
    window = torch.hann_window(chroma.N_FFT)

    def spectrogram(wave: torch.Tensor) -> torch.Tensor:
        found = torch.stft(wave, chroma.N_FFT, chroma.HOP, window=window, return_complex=True)
        return (found / window.square().sum().sqrt()).abs().square()

    filters = chroma._filters(32_000, 12)
    extractor = SimpleNamespace(n_fft=chroma.N_FFT, chroma_filters=filters, spectrogram=spectrogram)
    wave = torch.from_numpy(music(3, n_samples, sr=32_000))
    told = theirs.MusicgenMelodyFeatureExtractor._torch_extract_fbank_features(
        extractor, wave[None]
    )
    torch.testing.assert_close(chroma.melody(wave, sr=32_000), told[0])
    torch.testing.assert_close(
        filters, torch.from_numpy(librosa.filters.chroma(sr=32_000, n_fft=chroma.N_FFT, tuning=0)),
        atol=1e-5, rtol=0,
    )  # fmt: skip


# --- musicgen -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.05, 7.3, 30.0, 30.01, 49.0])
def test_music_is_as_long_as_its_recording_and_without_gaps(
    musicgen_folder: Path, seconds: float
) -> None:
    n_samples = round(seconds * RATE)
    system = Musicgen(Path())
    player = musicgen.Player.of(system, MusicgenOptions("jazz", weights=musicgen_folder))
    blocks = [music(0, n_samples, sr=RATE)[None]]
    made = np.concatenate(list(player.played(blocks)), axis=1)
    assert made.shape[1] >= n_samples
    heard = made[0, :n_samples]
    levels = [np.abs(part).max() for part in np.array_split(heard, max(1, n_samples // RATE))]
    assert min(levels) > 0.01 * max(levels) > 0
    assert not made[0, n_samples + player.frame * N_CODEBOOKS :].any()


def test_a_window_goes_on_with_the_tokens_of_the_one_before(
    musicgen_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, torch.Tensor | None, torch.Tensor, np.ndarray]] = []
    whole = musicgen.Player.generated

    def seen(self: Any, recording: np.ndarray, *, number: int, tokens: Any) -> Any:
        wave, made = whole(self, recording, number=number, tokens=tokens)
        calls.append((len(recording), tokens, made, wave))
        return wave, made

    monkeypatch.setattr(musicgen.Player, "generated", seen)
    wave = music(0, 66 * RATE, sr=RATE)
    Musicgen(Path()).transfer(wave, RATE, to="jazz", weights=musicgen_folder)
    assert [n_samples / RATE for n_samples, *_ in calls] == pytest.approx([30, 30, 30])
    frames = [made.shape[1] for *_, made, _ in calls]
    assert frames == [60, 60, 60]  # two a second
    for (*_, before, sound), (_, given, _, after) in itertools.pairwise(calls):
        torch.testing.assert_close(given, before[:, -24:])  # 12 s
        end = slice(2 * RATE, 11 * RATE)  # where neither window's own end has a part
        np.testing.assert_allclose(after[end], sound[18 * RATE :][end], atol=1e-3)


def test_the_tokens_are_those_that_sound(musicgen_folder: Path) -> None:
    player = musicgen.Player.of(Musicgen(Path()), MusicgenOptions("jazz", weights=musicgen_folder))
    wave, tokens = player.generated(music(0, 5 * RATE, sr=RATE), number=0, tokens=None)
    with torch.no_grad():
        decoded = player.network.audio_encoder.decode(tokens[None, None], [None]).audio_values
    np.testing.assert_allclose(decoded[0, 0].numpy(), wave, atol=1e-6)


def test_a_seed_says_what_is_played(musicgen_folder: Path) -> None:
    wave = np.stack([music(0, 3 * SR), music(1, 3 * SR)])
    system = registry.load("musicgen-melody")
    before = torch.get_rng_state()
    made = [
        system.transfer(wave, SR, to="jazz", weights=musicgen_folder, seed=seed)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.allclose(made[0], made[2], atol=1e-3)
    assert made[0].shape == wave.shape
    np.testing.assert_array_equal(made[0][0], made[0][1])  # it plays mono
    assert torch.equal(before, torch.get_rng_state())


def test_prompt_and_melody_reach_the_network(
    musicgen_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    network = Musicgen(Path()).network(musicgen_folder)
    generate = type(network).generate

    def seen(self: Any, **how: Any) -> Any:
        asked.append(how)
        return generate(self, **how)

    monkeypatch.setattr(type(network), "generate", seen)
    wave = tone(2 * SR)
    for given in ({"to": "jazz"}, {"to": "classical"}, {"to": "jazz", "prompt": "piano and drums"},
                  {"to": "jazz", "guidance_scale": 1, "temperature": 0.5, "top_k": 5}):  # fmt: skip
        registry.load("musicgen-melody").transfer(wave, SR, weights=musicgen_folder, **given)
    texts = [tuple(one["input_ids"][0].tolist()) for one in asked]
    assert len(set(texts)) == 3 and texts[0] == texts[3]
    assert len(texts[2]) == 3
    how = [[one[name] for name in ("guidance_scale", "temperature", "top_k")] for one in asked]
    assert how[0] == [3.0, 1.0, 250] and how[3] == [1, 0.5, 5]
    assert (asked[0]["input_features"].argmax(-1) == 9).all()  # A


def limited(folder: Path, to: Path, **places: dict[str, Any]) -> Path:
    """A copy of a folder, whose JSON files, by name without the ending, have these values too."""
    shutil.copytree(folder, to)
    for name, changes in places.items():
        path = to / f"{name}.json"
        content = json.loads(path.read_text())
        text = content["text_encoder"] if name == "config" else content
        text.update(changes)
        path.write_text(json.dumps(content))
    return to


@pytest.mark.parametrize(
    "places",
    [{"tokenizer_config": {"model_max_length": 6}}, {"config": {"n_positions": 6}},
     {"tokenizer_config": {"model_max_length": 6}, "config": {"n_positions": 4}}],
)  # fmt: skip
def test_a_prompt_that_is_too_long_is_refused_and_never_cut(
    musicgen_folder: Path, tmp_path: Path, places: dict[str, dict[str, Any]]
) -> None:
    folder, system = limited(musicgen_folder, tmp_path / "limited", **places), Musicgen(Path())
    system.choose(to="jazz", weights=folder, prompt="piano and drums " * 2)
    message = r"is 9 tokens long .* takes 6; give a --prompt that is shorter by 3 or more"
    with pytest.raises(ThirdstreamError, match=message):
        system.choose(to="jazz", weights=folder, prompt="piano and drums " * 3)


def test_a_prompt_without_a_limit_is_whole(musicgen_folder: Path) -> None:
    """Its text encoder knows relative positions alone."""
    text = musicgen.tokens_of("piano and drums " * 200, musicgen_folder)
    assert text["input_ids"].shape == text["attention_mask"].shape == (1, 600)


def test_every_style_has_a_prompt() -> None:
    texts = [prompt_of(MusicgenOptions(style)) for style in ("jazz", "classical", "bossa-nova")]
    assert "swinging jazz trio" in texts[0] and "chamber orchestra" in texts[1]
    assert texts[2] == "Bossa nova music, played by a small group."
    assert prompt_of(MusicgenOptions("jazz", prompt="A banjo.")) == "A banjo."


# --- weights ------------------------------------------------------------------------------------


def test_weights_are_given_or_the_users_or_in_the_hubs_cache(
    codec_folder: Path, nothing_else: Path, tmp_path: Path
) -> None:
    published, own = encodec.PUBLISHED, nothing_else / "encodec"
    assert weights.on_disk(published, own=own) is None
    commit = "c1dbe2ae3f1de713481a3b3e7c47f357092ee040"
    repository = tmp_path / "hub" / "models--facebook--encodec_24khz"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(codec_folder, repository / "snapshots" / commit)
    cached = weights.on_disk(published, own=own)
    assert cached == repository / "snapshots" / commit
    assert weights.identity(cached, published) == f"facebook/encodec_24khz {commit}"
    shutil.copytree(codec_folder, own)
    assert weights.on_disk(published, own=own) == own
    assert weights.on_disk(published, own=own, given=codec_folder) == codec_folder
    assert "sha256" in weights.identity(own, published)
    assert weights.identity(own, published) == weights.identity(codec_folder, published)
    (cached / "model.safetensors").unlink()
    shutil.rmtree(own)
    assert weights.on_disk(published, own=own) is None


@pytest.mark.parametrize("name", ["encodec", "musicgen-melody"])
def test_weights_that_are_not_here_are_told_with_a_remedy(
    name: str, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("transfer", song, song, "--to", "jazz", "--model", name, "--out", tmp_path / "o")
    assert run(*arguments) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "are not on this computer and cannot be fetched" in told
    assert "(huggingface.co cannot be reached); where there is internet, type: hf download" in told
    assert told.count("hf download facebook/") == 1
    with pytest.raises(ThirdstreamError, match="are not on this computer and are not fetched"):
        registry.load(name).ready()


def test_a_missing_package_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    for name, extra in (("encodec", "codec"), ("musicgen-melody", "musicgen")):
        with pytest.raises(packages.MissingPackage, match=rf"thirdstream\[{extra}\]"):
            registry.load(name).choose(to="jazz")
        assert name not in offered(())


def spoilt(folder: Path, how: str) -> None:
    """Make something else of a folder with a codec."""
    config = json.loads((folder / "config.json").read_text())
    match how:
        case "no config":
            (folder / "config.json").unlink()
        case "no JSON":
            (folder / "config.json").write_text("{")
        case "another network":
            (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
        case "nonsense":
            (folder / "config.json").write_text(json.dumps(config | {"hidden_size": "x"}))
        case "another size":
            (folder / "config.json").write_text(json.dumps(config | {"num_filters": 4}))
        case "a layer more":
            (folder / "config.json").write_text(json.dumps(config | {"num_lstm_layers": 2}))
        case "pickled":
            (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        case "cut":
            content = (folder / "model.safetensors").read_bytes()
            (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
        case "an index of nothing":
            (folder / weights.INDEX).write_text(json.dumps({"weight_map": {"a": "none"}}))
        case "a strange index":
            (folder / weights.INDEX).write_text("[]")


def test_a_musicgen_without_its_tokenizer_is_refused(musicgen_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(musicgen_folder, folder)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(
        ThirdstreamError, match=r"other: lacks tokenizer\.json; give a folder with "
    ):
        registry.load("musicgen-melody").transfer(music(0, SR), SR, to="jazz", weights=folder)


@pytest.mark.parametrize(("how", "fault"), [
    ("no config", "holds no config.json, so no network; give a folder with facebook/encodec_24khz"),
    ("no JSON", "is not a readable configuration of a network"),
    ("another network", "holds a network of the kind 'bert', not 'encodec'"),
    ("nonsense", "is damaged"), ("another size", "is damaged"), ("cut", "is damaged"),
    ("a layer more", "is damaged .*lstm.* is not among its weights"),
    ("pickled", "lacks weights as safetensors, the only ones that are read"),
    ("an index of nothing", "lacks weights as safetensors"),
    ("a strange index", "lacks weights as safetensors"),
])  # fmt: skip
def test_a_folder_with_something_else_is_refused(
    codec_folder: Path, tmp_path: Path, how: str, fault: str
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(codec_folder, folder)
    spoilt(folder, how)
    system, wave = registry.load("encodec"), music(0, SR)
    with pytest.raises(ThirdstreamError, match=fault) as told:
        system.transfer(wave, SR, to="jazz", weights=folder)
    assert str(folder) in str(told.value) and "\n" not in str(told.value)


# --- systems of the registry --------------------------------------------------------------------


def test_the_command_says_the_licence_once(
    musicgen_folder: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.wav"
    shutil.copy(song, other)
    given = ("--model", "musicgen-melody", "--weights", musicgen_folder, "--prompt", "jazz piano")
    assert run("transfer", song, other, "--to", "jazz", *given, "--out", tmp_path / "out") == 0
    assert capsys.readouterr().err.count("CC BY-NC 4.0") == 1
    assert audio.info(tmp_path / "out" / "other.wav").n_samples == 20_000


def test_options_that_mean_nothing_are_refused(codec_folder: Path) -> None:
    system = registry.load("encodec")
    for given in ({"keep_content": 0.5}, {"style_strength": 1.0}, {"prompt": "A banjo."}):
        with pytest.raises(ThirdstreamError, match=r"takes no .*; leave --.* out"):
            system.choose(to="jazz", weights=codec_folder, **given)
    with pytest.raises(ThirdstreamError, match="is no name of a style"):
        system.choose(to="../x", weights=codec_folder)
    assert system.choose(to="polka", weights=codec_folder) == EncodecOptions(
        "polka", weights=codec_folder
    )
    with pytest.raises(ThirdstreamError, match=r"--temperature must be 0\.01 or more"):
        registry.load("musicgen-melody").choose(to="jazz", temperature=0)
    for prompt in ("", " \n"):
        with pytest.raises(ThirdstreamError, match="--prompt is empty; say what is played"):
            registry.load("musicgen-melody").choose(to="jazz", prompt=prompt)


def test_results_name_weights_and_licence(musicgen_folder: Path, nothing_else: Path) -> None:
    shutil.copytree(musicgen_folder, nothing_else / "musicgen-melody")
    *_, entry = entries_of(["musicgen-melody"], MATERIAL)
    about = _about(entry)
    assert any("CC BY-NC 4.0" in part for part in about["parts"])
    assert any(part.startswith("facebook/musicgen-melody sha256 ") for part in about["parts"])
    network = Musicgen(Path()).network(musicgen_folder)
    assert about["parameters"] == sum(one.numel() for one in network.parameters())


def test_the_page_offers_what_is_here_and_asks_for_no_weights(
    codec_folder: Path, nothing_else: Path
) -> None:
    assert not {"encodec", "musicgen-melody"} & set(offered(()))
    shutil.copytree(codec_folder, nothing_else / "encodec")
    assert "encodec" in offered(()) and "musicgen-melody" not in offered(())
    shown = describe("encodec", "encodec")
    assert not shown.lack and shown.styles == ("classical", "jazz")
    assert {field.name for field in shown.fields} == {"seed", "blend", "bandwidth"}
    assert "weights" not in {
        field.name for field in describe("musicgen-melody", "musicgen-melody").fields
    }


def test_any_published_network_is_named_by_its_repository() -> None:
    for name, published in (
        ("encodec", encodec.PUBLISHED),
        ("musicgen-melody", musicgen.PUBLISHED),
    ):
        assert published.repository.startswith("facebook/")
        assert hasattr(transformers, published.network)
        kind = getattr(transformers, published.network).config_class.model_type
        assert kind == published.kind
        assert published.licence in registry.load(name).terms
        assert replace(published, extra="x") != published


def test_other_commands_do_not_import_transformers() -> None:
    """It takes seconds; so do those that it brings."""
    told = """
import sys
from thirdstream.cli import main
from thirdstream import registry
from thirdstream.cli.system_options import options_of_all
from thirdstream.web.server import offered
from thirdstream.web.worker import Worker
options_of_all(), offered(()), registry.load("twin-cnn").choose(to="jazz")
print("transformers" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_a_pages_worker_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def started(*command: Any, **how: Any) -> Any:
        seen.update(how)
        raise OSError

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(OSError):
        Worker()
    assert seen["env"]["HF_HUB_OFFLINE"] == "1"


def test_nothing_is_reported_to_the_librarys_makers() -> None:
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert constants.HF_HUB_DISABLE_TELEMETRY
