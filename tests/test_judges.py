"""The judges' machinery without their weights; with them, where they are installed."""

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import tone
from thirdstream import registry
from thirdstream.audio import read
from thirdstream.evaluation import judges, measure, tensorbundle
from thirdstream.evaluation.transcriber import BasicPitch
from thirdstream.files import ThirdstreamError
from thirdstream.packages import MissingPackage

# --- the checkpoint's format --------------------------------------------------------------------


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB block with shared prefixes, its type byte and its checksum (not read)."""
    data, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        rest = key[shared:]
        data += varint(shared) + varint(len(rest)) + varint(len(value)) + rest + value
        before = key
    return data + struct.pack("<II", 0, 1) + b"\0" + b"CRC."


def entry(array: np.ndarray, offset: int) -> bytes:
    shape = b"".join(
        b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) for n in array.shape)
    )
    kind = {"f4": 1, "i4": 3, "S1": tensorbundle.STRING}[array.dtype.str[1:]]
    return (b"\x08" + bytes([kind]) + b"\x12" + varint(len(shape)) + shape
            + b"\x20" + varint(offset) + b"\x28" + varint(array.nbytes)
            + b"\x35" + b"CRC.")  # fmt: skip


def write_bundle(prefix: str, tensors: dict[str, np.ndarray]) -> None:
    entries, data = [(b"", b"\x08\x01")], b""
    for name in sorted(tensors):
        entries.append((name.encode(), entry(tensors[name], len(data))))
        data += tensors[name].tobytes()
    first = block(entries)
    handle = varint(0) + varint(len(first) - 5)
    index = block([(b"~", handle)])
    footer = varint(0) + varint(0) + varint(len(first)) + varint(len(index) - 5)
    footer = footer.ljust(40, b"\0") + struct.pack("<Q", tensorbundle.MAGIC)
    Path(prefix + ".index").write_bytes(first + index + footer)
    Path(prefix + ".data-00000-of-00001").write_bytes(data)


def published_shapes() -> dict[str, np.ndarray]:
    """Random variables, named and shaped as TensorFlow has them."""
    generator, found = np.random.default_rng(0), {}
    fronts = [(7, 38), (7, 67), (128, 1), (64, 1), (32, 1)]
    kernels = [(*size, 1, 204 if k < 2 else 51) for k, size in enumerate(fronts)]
    kernels += [(7, n, 1, 64) for n in (561, 64, 64)]
    sizes = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)
    named = [("conv2d", "kernel", kernels), ("conv2d", "bias", [(k[3],) for k in kernels])]
    named += [("dense", "kernel", [(1506, 200), (200, 50)]), ("dense", "bias", [(200,), (50,)])]
    named += [("batch_normalization", part, [(n,) for n in sizes])
              for part in ("gamma", "beta", "moving_mean", "moving_variance")]  # fmt: skip
    for name, part, shapes in named:
        for number, shape in enumerate(shapes):
            value = 0.05 * generator.standard_normal(shape).astype(np.float32)
            key = f"{name}_{number}/{part}" if number else f"{name}/{part}"
            found[key] = np.abs(value) + 1 if part == "moving_variance" else value
    return found


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path: Path) -> None:
    tensors = {
        "conv/bias": np.arange(3, dtype=np.float32),
        "conv/kernel": np.arange(400, dtype=np.float32).reshape(2, 200),
        "step": np.array(7, np.int32),
    }
    text = {"graph": np.frombuffer(b"text", "S1")}
    write_bundle(str(tmp_path / "model"), tensors | text)
    found = tensorbundle.read(str(tmp_path / "model"))
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("damage", ["missing", "short", "footer", "compressed", "data"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    prefix = str(tmp_path / "model")
    write_bundle(prefix, {"a": np.ones(3, np.float32)})
    index, data = Path(prefix + ".index"), Path(prefix + ".data-00000-of-00001")
    whole = index.read_bytes()
    if damage == "missing":
        data.unlink()
    elif damage == "short":
        index.write_bytes(whole[:20])
    elif damage == "footer":
        index.write_bytes(whole[:-1] + b"x")
    elif damage == "compressed":
        index.write_bytes(whole.replace(b"\0CRC.", b"\1CRC."))
    else:
        data.write_bytes(b"1234")
    with pytest.raises(ThirdstreamError, match="no readable TensorFlow checkpoint"):
        tensorbundle.read(prefix)


# --- tagger -------------------------------------------------------------------------------------


def test_the_network_has_the_published_size_and_takes_the_published_variables() -> None:
    network = judges.MusiCNN().eval()
    assert sum(one.numel() for one in network.parameters()) == 787_159
    tensors = published_shapes()
    network.load_tensorflow(tensors)
    with torch.inference_mode():
        tags, embedding = network(torch.rand(2, 187, 96))
    assert tags.shape == (2, 50)
    assert embedding.shape == (2, 200)
    assert bool(((tags > 0) & (tags < 1)).all())
    for missing in ("conv2d_5/kernel", "batch_normalization/gamma"):
        with pytest.raises(ThirdstreamError, match=r"musicnn==0\.1\.0"):
            network.load_tensorflow({k: v for k, v in tensors.items() if k != missing})


def test_kernels_are_turned_the_right_way() -> None:
    network, tensors = judges.MusiCNN().eval(), published_shapes()
    network.load_tensorflow(tensors)
    image, out = np.random.default_rng(1).random((187, 96)), 5
    kernel = tensors["conv2d/kernel"]  # (height, width, in, out)
    at = image[10:17, 20:58]
    expected = (at * kernel[:, :, 0, out]).sum() + tensors["conv2d/bias"][out]
    given = torch.from_numpy(image).float()[None, None]
    assert float(network.front[0](given)[0, out, 10, 20].detach()) == pytest.approx(
        expected, abs=1e-4
    )
    features = np.random.default_rng(2).random((20, 561))  # (n_frames, n_features)
    kernel = tensors["conv2d_5/kernel"]
    expected = (features[4:11] * kernel[:, :, 0, out]).sum() + tensors["conv2d_5/bias"][out]
    given = torch.from_numpy(features.T.copy()).float()[None]
    assert float(network.middle[0](given)[0, out, 7].detach()) == pytest.approx(expected, abs=1e-4)


def test_tags_are_fifty_each_and_hold_the_styles() -> None:
    for names in judges.TAGS.values():
        assert len(set(names)) == 50
    for model, tag in judges.STYLE_TAGS.values():
        assert tag in judges.TAGS[model]


@pytest.mark.parametrize(("seconds", "n_patches"), [(0.1, 1), (3.0, 1), (5.9, 1), (6.1, 2)])
def test_patches_are_three_seconds_and_finite_however_loud(seconds: float, n_patches: int) -> None:
    wave = 0.999 * np.sign(tone(int(seconds * 16_000), sr=16_000)).astype(np.float32)
    patches = judges.log_mel_patches(wave, 16_000)
    assert patches.shape == (n_patches, 187, 96)
    assert patches.dtype == torch.float32
    assert bool(torch.isfinite(patches).all())


@pytest.mark.parametrize(
    ("target", "other", "expected"),
    [(0.3, 0.2, True), (0.25, 0.1, True), (0.24, 0.1, False), (0.5, 0.5, False), (0.5, 0.9, False)],
)
def test_accepted(target: float, other: float, expected: bool) -> None:
    assert judges.accepted(target=target, other=other) is expected


# --- what is missing, and what is there -----------------------------------------------------------


@pytest.mark.parametrize(
    ("judge", "package", "command"),
    [
        (judges.Tagger, "musicnn", "musicnn==0.1.0"),
        (BasicPitch, "basic_pitch", "basic-pitch==0.4.0"),
    ],
)
def test_a_missing_judge_names_the_command(
    monkeypatch: pytest.MonkeyPatch, judge: type, package: str, command: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=f"pip install --no-deps {command}"):
        judge()
    measure.judges.cache_clear()
    try:
        reasons = measure.judges().left_out(("classical", "jazz"))
    finally:
        measure.judges.cache_clear()
    assert {"accepted_share", "kad", "note_f1"} <= reasons.keys() <= measure.METRICS.keys()


def test_the_tagger_tells_the_bundled_clips_apart() -> None:
    tagger = judges.Tagger()
    for clip in registry.bundled_clips():
        style = clip.stem.split("_")[0]
        other = {"classical": "jazz", "jazz": "classical"}[style]
        heard = tagger.listen(*read(clip))
        assert judges.accepted(target=heard.style(style), other=heard.style(other)), clip
        assert heard.embeddings.shape[1] == 200
    assert len(tagger.about()["MSD_sha256"]) == 64
    with pytest.raises(ThirdstreamError, match="no tag for the style 'polka'"):
        heard.style("polka")
