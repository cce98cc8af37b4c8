"""Concatenative synthesis: what must hold of its parts, and of what it plays with whose sound."""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

import thirdstream
from conftest import tone
from test_cli import run
from thirdstream import audio
from thirdstream.audio import BLOCK, SR, Wave
from thirdstream.checkpoint import CheckpointError, read, read_header, save
from thirdstream.files import ThirdstreamError
from thirdstream.notes.mosaicing import indexing
from thirdstream.notes.mosaicing.collection import from_arrays
from thirdstream.notes.mosaicing.comb import one_note
from thirdstream.notes.mosaicing.selection import Lattice, moved
from thirdstream.notes.mosaicing.sounds import Sounds, coded
from thirdstream.notes.mosaicing.synthesis import Run, run_event, summed
from thirdstream.notes.mosaicing.system import Concatenative, load
from thirdstream.notes.mosaicing.units import LONGEST, segments_of, starts_of
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.types import Note, Song, Track

PIANO, FLUTE = 0, 73
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
TEMPO = 120.0
N_NOTES = 48  # 24 s


def tune(seed: int, program: int) -> Wave:
    """(2, n_samples) at -20 dB: a melody out of one scale, one note at a time."""
    pitches = np.random.default_rng(seed).choice(SCALE, N_NOTES).tolist()
    notes = tuple(Note(float(at), 0.9, int(pitch), 90) for at, pitch in enumerate(pitches))
    wave = play(Song((Track("melody", program, notes),), TEMPO), ORCHESTRA, N_NOTES * SR // 2)
    return (wave * (0.1 / np.sqrt(np.square(wave).mean()))).astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tunes on the piano, and three others on the flute."""
    made = tmp_path_factory.mktemp("collections")
    for seed, (name, program) in enumerate([("piano", PIANO)] * 3 + [("flute", FLUTE)] * 3):
        (made / name).mkdir(exist_ok=True)
        sf.write(made / name / f"{seed}.flac", 0.5 * tune(seed, program).T, SR)
    return made


@pytest.fixture(scope="module")
def index(folders: Path) -> Path:
    """Of both folders."""
    out = folders / "both.safetensors"
    assert (
        run("index", f"piano={folders / 'piano'}", f"flute={folders / 'flute'}", "--out", out) == 0
    )
    assert not indexing.parts_of(out).exists()
    return out


def likeness(wave: Wave, *, truth: Wave) -> float:
    """Mean cosine similarity of compressed spectra, over 93 ms each, where either sounds."""

    def spectra(one: Wave) -> np.ndarray:
        frames = one.mean(axis=0)[: one.shape[1] // 4096 * 4096].reshape(-1, 4096)
        return np.abs(np.fft.rfft(frames * np.hanning(4096))) ** 0.25

    first, second = spectra(wave), spectra(truth)
    sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    sounds = sizes > 1e-3 * sizes.max()
    return float(((first * second).sum(axis=1) / np.maximum(sizes, 1e-9))[sounds].mean())


# --- what is played -----------------------------------------------------------------------------


def test_a_tune_is_played_by_the_other_instrument(index: Path) -> None:
    """Nearer to the tune on that instrument than a copy is, and than another tune on it."""
    system = thirdstream.load(index)
    for to, program, other in (("flute", FLUTE, PIANO), ("piano", PIANO, FLUTE)):
        original, truth = tune(9, other), tune(9, program)
        made = system.transfer(original, SR, to=to)
        assert made.shape == original.shape
        found = likeness(made, truth=truth)
        assert found > likeness(original, truth=truth) + 0.05
        assert found > likeness(tune(8, program), truth=truth) + 0.05


def test_a_recording_that_is_in_the_collection_comes_back(index: Path, folders: Path) -> None:
    own = sf.read(folders / "piano" / "1.flac", dtype="float32")[0].T
    made = thirdstream.load(index).transfer(own, SR, to="piano", melody_level=0.0)
    inside = slice(SR, -SR)
    assert np.corrcoef(own[0, inside], made[0, inside])[0, 1] > 0.95
    with_melody = thirdstream.load(index).transfer(own, SR, to="piano")
    assert likeness(with_melody, truth=own) > 0.9


def test_any_length_and_channels_come_back_and_a_seed_is_one_result(index: Path) -> None:
    system, wave = thirdstream.load(index), tune(7, FLUTE)
    mono = wave[0, : 5 * SR + 123]
    made = system.transfer(mono, SR, to="piano", seed=1)
    assert made.shape == mono.shape and np.isfinite(made).all()
    np.testing.assert_array_equal(made, system.transfer(mono, SR, to="piano", seed=1))
    assert not np.array_equal(made, system.transfer(mono, SR, to="piano", seed=2))
    four = np.stack([mono] * 4)
    assert np.ptp(system.transfer(four, SR, to="piano"), axis=0).max() < 1e-6


def test_what_cannot_be_played_is_said(index: Path) -> None:
    system = thirdstream.load(index)
    noise = np.random.default_rng(0).normal(0, 0.1, 6 * SR).astype(np.float32)
    for fault, wave, options in (
        ("no notes are found", noise, {"to": "piano"}),
        ("has no recordings of 'organ'", noise, {"to": "organ"}),
        ("--melody-level must lie between 0 and 2", noise, {"to": "piano", "melody_level": 3}),
        ("takes no keep_content", noise, {"to": "piano", "keep_content": 0.5}),
    ):
        with pytest.raises(ThirdstreamError, match=fault):
            system.transfer(wave, SR, **options)
    with pytest.raises(ThirdstreamError, match="as --to, or make an index: thirdstream index"):
        thirdstream.load("concatenative").transfer(noise, SR, to="jazz")


# --- the index ----------------------------------------------------------------------------------


def test_work_that_was_interrupted_goes_on(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "flute.safetensors"
    [paths] = indexing.find([f"flute={folders / 'flute'}"]).values()
    excerpts = indexing.excerpts_of(paths)
    assert next(indexing.index(excerpts, out)).fault is None
    heard: list[Path] = []
    whole = indexing._heard
    monkeypatch.setattr(
        indexing, "_heard", lambda one, *more: heard.append(one.path) or whole(one, *more)
    )
    assert run("index", f"flute={folders / 'flute'}", "--out", out) == 0
    assert heard == paths[1:]
    assert load(out).styles == ("flute",)


def test_folders_of_no_use_are_said(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, out = tmp_path / "bad", tmp_path / "bad.safetensors"
    bad.mkdir()

    def refused(*sources: str) -> str:
        assert run("index", *sources, "--out", out) == 1
        assert not out.exists()
        return " ".join(capsys.readouterr().err.split())

    assert "holds no recordings" in refused(f"a={bad}")
    assert "there is no such folder" in refused(f"a={tmp_path / 'gone'}")
    assert "is not STYLE=FOLDER" in refused(str(bad))
    assert "no recordings to index" in refused()
    noise = np.random.default_rng(0).normal(0, 0.1, 8 * SR)
    sf.write(bad / "noise.wav", noise, SR)
    sf.write(bad / "silence.wav", np.zeros(8 * SR), SR)
    sf.write(bad / "click.wav", noise[: SR // 2], SR)
    (bad / "text.mp3").write_text("no sound")
    said = refused(f"a={bad}")
    for fault in (
        "noise.wav: hardly any notes", "silence.wav: is silent", "click.wav: lasts 0.5 s",
        f"left out: {bad / 'text.mp3'}", "a: has 0 s of music that can be used",
    ):  # fmt: skip
        assert fault in said
    assert not indexing.parts_of(out).exists()
    sf.write(bad / "tune.flac", 0.5 * tune(1, PIANO)[:, : 5 * SR].T, SR)
    said = refused(f"a={bad}")
    assert "a: has 5 s of music that can be used, and 20 s are needed" in said
    assert f"stays in {indexing.parts_of(out)}" in said and indexing.parts_of(out).exists()


def test_what_stays_of_one_style_is_said_where_another_has_nothing(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    sf.write(tmp_path / "bad" / "silence.wav", np.zeros(8 * SR), SR)
    out = tmp_path / "two.safetensors"
    assert run("index", f"piano={folders / 'piano'}", f"a={tmp_path / 'bad'}", "--out", out) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "a: has 0 s of music that can be used" in said
    assert f"stays in {indexing.parts_of(out)} for the next run" in said
    assert list(indexing.parts_of(out).iterdir())


def test_an_index_that_was_stopped_before_anything_was_found_leaves_nothing(tmp_path: Path) -> None:
    sf.write(tmp_path / "silence.wav", np.zeros(8 * SR), SR)
    out = tmp_path / "none" / "index.safetensors"
    heard = indexing.index([indexing.Excerpt(tmp_path / "silence.wav", 0.0, 8.0)], out)
    assert next(heard).fault is not None
    heard.close()
    assert not out.parent.exists()


def test_a_recording_that_is_damaged_and_of_no_known_length_is_said_to_be_damaged(
    tmp_path: Path,
) -> None:
    path, out = tmp_path / "stream.flac", tmp_path / "stream.safetensors"
    sf.write(path, tone(40 * SR), SR)
    data = path.read_bytes()
    at, noise = len(data) // 2, np.random.default_rng(0).bytes(len(data) // 8)
    start = data[:21] + bytes([data[21] & 0xF0]) + bytes(4)  # of an unknown number of samples
    path.write_bytes(start + data[len(start) : at] + noise + data[at + len(noise) :])
    assert audio.info(path).n_samples == 0
    [one] = indexing.index(indexing.excerpts_of([path]), out)
    assert one.fault is not None and "is damaged after" in one.fault


def test_an_excerpt_after_the_end_is_said_to_be_short(tmp_path: Path) -> None:
    path, out = tmp_path / "short.wav", tmp_path / "short.safetensors"
    sf.write(path, tone(10 * SR), SR)
    after = indexing.Excerpt(path, 300.0, 300.0)  # as of a length that a header only guesses
    [one] = indexing.index([after], out)
    assert one.fault is not None and "lasts 0.0 s after the first 300 s" in one.fault


def test_what_is_left_out_is_not_in_the_index(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed, out = tmp_path / "mixed", tmp_path / "mixed.safetensors"
    mixed.mkdir()
    shutil.copy(folders / "piano" / "0.flac", mixed)
    sf.write(mixed / "silence.wav", np.zeros(301 * 8_000), 8_000)  # two excerpts
    assert run("index", f"piano={mixed}", "--out", out) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "places of 1 recording" in said
    assert "1 of 2 recordings was left out" in said
    assert read_header(out)["recordings"] == {"piano": ["0.flac"]}


def test_a_part_that_was_cut_short_is_made_again(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "piano.safetensors"
    excerpts = indexing.excerpts_of([folders / "piano" / "0.flac"])
    assert [one.fault for one in indexing.index(excerpts, out)] == [None]
    [part] = indexing.parts_of(out).iterdir()
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    assert [one.fault for one in indexing.index(excerpts, out)] == [None]
    assert indexing.collection_of(excerpts, out, style="piano").sounds.read(0, SR, SR).any()


def test_an_index_of_another_version_is_refused(index: Path, tmp_path: Path) -> None:
    tensors, header = read(index)
    other = tmp_path / "other.safetensors"
    save(other, tensors, header | {"version": indexing.INDEXING + 1})
    with pytest.raises(CheckpointError, match="make it again with: thirdstream index"):
        load(other)


def test_an_index_has_no_network_to_export(index: Path, tmp_path: Path, capsys) -> None:
    assert run("export", index, "--to", "flute", "--out", tmp_path / "flute.onnx") == 1
    assert "is an index of recordings" in capsys.readouterr().err
    assert run("info", index) == 0
    assert '"family": "concatenative"' in capsys.readouterr().out


def test_a_folder_is_indexed_in_one_step(
    index: Path, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by the index of it alone, which is kept beside the results until its version is old."""
    song, out = folders / "piano" / "1.flac", tmp_path / "out"
    made = out / "1.wav"
    asked = ("transfer", song, "--model", "concatenative", "--to", folders / "flute", "--out", out)
    assert run(*asked) == 0
    kept, first = out / "flute.safetensors", made.read_bytes()
    assert load(kept).styles == ("flute",)
    assert run("transfer", song, "--model", kept, "--to", "flute", "--out", tmp_path / "two") == 0
    assert (tmp_path / "two" / "1.wav").read_bytes() == first
    capsys.readouterr()
    assert run(*asked, "--force") == 0
    assert "is there already" in capsys.readouterr().err
    tensors, header = read(kept)
    save(kept, tensors, header | {"version": indexing.INDEXING + 1})
    assert run(*asked, "--force") == 0
    assert "is indexed anew" in capsys.readouterr().err
    assert (load(kept).styles, made.read_bytes()) == (("flute",), first)


def test_nothing_is_indexed_in_vain(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, song = tmp_path / "out", folders / "piano" / "1.flac"
    (tmp_path / "empty").mkdir()
    out.mkdir()
    (out / "1.wav").write_bytes(b"mine")
    asked = ("--model", "concatenative", "--out", out)
    for where, to, fault in (
        (tmp_path / "none.wav", folders / "flute", "there is no such file"),
        (song, folders / "flute", "exists already"),
        (song, f"{folders / 'flute'} --melody-level 3", "must lie between 0 and 2"),
        (song, f"{folders / 'flute'} --ensemble trio", "ensemble"),
        (folders / "piano" / "2.flac", tmp_path / "empty", "holds no recordings;"),
        (folders / "piano" / "2.flac", "flute", "give a folder of some as --to"),
    ):
        assert run("transfer", where, "--to", *str(to).split(), *asked) == 1
        assert fault in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["1.wav"]


def test_a_damaged_index_is_refused(index: Path) -> None:
    arrays = load(index).collections["flute"].arrays()
    assert from_arrays(arrays).arrays().keys() == arrays.keys()
    frames = arrays["units.frames"]
    for name, changed in (
        ("units.frames", frames[1:]),
        ("units.frames", frames.astype(np.float32)),
        ("units.recordings", arrays["units.recordings"] + np.int32(1)),
        ("ends", arrays["ends"][::-1].copy()),
        ("sounds", arrays["sounds"][1:]),
        ("tunings", arrays["tunings"] * np.float32(np.nan)),
        ("tunings", arrays["tunings"] + np.float32(2_000)),
    ):
        with pytest.raises(ValueError):
            from_arrays({**arrays, name: changed})


@given(st.lists(st.floats(1.0, 2_000.0), min_size=1, max_size=40), st.floats(30.0, 900.0))
def test_of_many_recordings_each_gives_its_share(lengths: list[float], most_s: float) -> None:
    whole = [indexing.Excerpt(Path(str(n)), 0.0, length) for n, length in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexing, "_parts", lambda path: [whole[int(path.name)]])
        found = indexing.excerpts_of([one.path for one in whole], most_s)
    total, longest = sum(one.length_s for one in found), max(one.length_s for one in found)
    if sum(lengths) <= most_s:
        assert found == whole
        return
    assert total <= most_s + 1e-3
    for one in found:
        length = lengths[int(one.path.name)]
        assert one.length_s == pytest.approx(min(length, longest))
        assert one.start_s + one.length_s / 2 == pytest.approx(length / 2)  # its middle


# --- parts --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 900), max_size=30), st.integers(1, 901))
def test_segments_are_the_whole_and_none_is_long(struck: list[int], n_frames: int) -> None:
    attacks = np.zeros(n_frames, np.float32)
    attacks[[at for at in struck if at < n_frames]] = 2
    edges = segments_of(attacks)
    assert (edges[0], edges[-1]) == (0, n_frames)
    assert (np.diff(edges) > 0).all() and np.diff(edges).max() <= LONGEST
    starts = starts_of(attacks)
    assert starts[0] == 0 and (np.diff(starts) > 0).all() and starts[-1] < n_frames


def test_the_lattice_has_the_cheapest_path() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        own, joins = rng.random((5, 4)).astype(np.float32), rng.random((4, 4, 4)).astype(np.float32)
        lattice = Lattice()
        for at, row in enumerate(own):
            lattice.add(np.arange(4), row, joins[at - 1] if at else None)

        def cost(path: tuple[int, ...], own=own, joins=joins) -> float:
            steps = sum(joins[n][a, b] for n, (a, b) in enumerate(itertools.pairwise(path)))
            return float(own[range(5), path].sum() + steps)

        best = min(itertools.product(range(4), repeat=5), key=cost)
        assert tuple(lattice.cheapest()[0]) == best


@given(st.integers(-3, 3))
def test_notes_that_are_moved_and_moved_back_are_the_same(shift: int) -> None:
    notes = np.zeros((1, 1, 88), np.float32)
    notes[..., 10:70] = np.random.default_rng(0).random(60)
    np.testing.assert_array_equal(moved(moved(notes, shift), -shift), notes)
    assert moved(notes, shift)[0, 0, 40 + shift] == notes[0, 0, 40]


def test_one_note_is_left_of_three() -> None:
    wanted, others = tone(SR, hz=440.0), tone(SR, hz=554.4) + tone(SR, hz=329.6)
    left = one_note((wanted + others)[None], 69.0)[0]
    inside = slice(4096, -4096)
    assert np.square(left - wanted)[inside].mean() < 0.03 * np.square(wanted)[inside].mean()
    sharp = one_note((tone(SR, hz=446.0) + others)[None], 69.0)[0]  # a quarter of a semitone
    kept = np.square(sharp)[inside].mean() / np.square(wanted)[inside].mean()
    assert 0.9 < kept < 1.1


def test_sounds_come_back_where_they_are() -> None:
    waves = [tune(1, PIANO)[:, : 3 * SR], tune(2, FLUTE)[:1, : 2 * SR]]
    files = [coded(wave) for wave in waves]
    sounds = Sounds(np.concatenate(files), np.cumsum([len(file) for file in files]))
    for number, wave in enumerate(waves):
        part = sounds.read(number, SR, 5_000)
        assert part.shape == (len(wave), 5_000)
        np.testing.assert_allclose(part, wave[:, SR : SR + 5_000], atol=1e-4)
    outside = sounds.read(0, -500, 1_000)
    assert not outside[:, :500].any() and outside[:, 500:].any()
    assert not sounds.read(1, 10 * SR, 100).any()


def test_events_add_up_whatever_the_blocks() -> None:
    rng, n_samples = np.random.default_rng(0), 3 * BLOCK + 77
    placed = sorted(
        (int(rng.integers(0, n_samples)), int(rng.integers(1, 2 * BLOCK))) for _ in range(30)
    )
    waves = [rng.normal(size=(1, length)).astype(np.float32) for _, length in placed]
    whole = np.zeros((1, 6 * BLOCK), np.float32)
    for (first, length), wave in zip(placed, waves, strict=True):
        whole[:, first : first + length] += wave
    events = [
        (first, lambda wave=wave: wave) for (first, _), wave in zip(placed, waves, strict=True)
    ]
    blocks = list(summed(events, n_samples=n_samples, n_channels=1))
    found = np.concatenate(blocks, axis=1)
    assert found.shape[1] == n_samples
    np.testing.assert_allclose(found, whole[:, :n_samples], atol=1e-5)


def test_a_run_in_parts_is_the_run(index: Path) -> None:
    collection = load(index).collections["flute"]
    gains = np.array([[0.0, 0.0]])
    whole = Run(0, 4_000.0, 1.0, SR, 5 * SR, gains)
    middle = 3 * SR
    parts = [
        whole._replace(end=middle, closes=False),
        whole._replace(source=4_000.0 + middle - SR, start=middle, opens=False),
    ]
    first, second = (
        np.concatenate(list(summed(
            [run_event(one, collection, 2) for one in runs], n_samples=6 * SR, n_channels=2
        )), axis=1)
        for runs in ([whole], parts)
    )  # fmt: skip
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_without_the_melody_there_are_fewer_notes(index: Path) -> None:
    system = load(index)
    assert isinstance(system, Concatenative)
    wave = tune(6, PIANO)
    options = system.choose(to="flute", melody_level=0.0)
    without = np.concatenate(list(system.stream([wave], options)), axis=1)
    louder = np.concatenate(list(system.stream([wave], replace(options, melody_level=1.0))), axis=1)
    assert without.shape == louder.shape == wave.shape
    assert np.square(louder).mean() > np.square(without).mean()


def test_a_long_recording_is_decoded_once_whatever_is_taken_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three parts; each is what lies there."""
    rng = np.random.default_rng(0)
    wave = 0.1 * rng.standard_normal((2, 3 * BLOCK + 1234)).astype(np.float32)
    path = tmp_path / "long.wav"
    sf.write(path, wave.T, SR, subtype="FLOAT")
    monkeypatch.setattr(indexing, "SHORTEST_S", 0.1)
    seconds = wave.shape[1] / SR
    excerpts = [indexing.Excerpt(path, seconds * at, seconds / 4) for at in (0.1, 0.35, 0.7)]
    decoded, whole = [], audio.blocks
    monkeypatch.setattr(audio, "blocks", lambda *a, **k: decoded.append(a) or whole(*a, **k))
    seen: list[Wave] = []

    def heard(one: indexing.Excerpt, part: Wave, progress: object) -> dict[str, np.ndarray]:
        seen.append(part)
        return {"rows": np.zeros(1)}

    monkeypatch.setattr(indexing, "_heard", heard)
    assert all(one.fault is None for one in indexing.index(excerpts, tmp_path / "x.safetensors"))
    assert len(decoded) == 1
    for one, part in zip(excerpts, seen, strict=True):
        first = round(one.start_s * SR)
        np.testing.assert_array_equal(part, wave[:, first : first + round(one.length_s * SR)])
