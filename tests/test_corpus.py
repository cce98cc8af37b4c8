import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import found_in, music
from thirdstream import audio
from thirdstream.audio import SEGMENT, SR
from thirdstream.data import preparing
from thirdstream.data.corpus import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Corpus,
    CorpusError,
    Pairs,
    Recording,
    Skipped,
)
from thirdstream.files import read_json
from thirdstream.mel.features.logmel import LogMel, moments, statistics_of


def make(sources: dict[str, Path], out: Path) -> tuple[Corpus, list[Skipped]]:
    for outcome in preparing.prepare(found_in(sources), out, n_jobs=1):
        assert isinstance(outcome, Recording | Skipped)
    opened = Corpus.open(out)
    return opened, list(opened.skipped)


def write_pieces(folder: Path, n: int, *, seed: int = 0, n_samples: int = SEGMENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(n):
        sf.write(folder / f"{k:03}.wav", music(seed + k, n_samples), SR)
    return folder


# --- what is stored -----------------------------------------------------------------------------


def test_features_are_the_segments_of_the_normalised_piece(
    small_corpus: Corpus, recordings: dict[str, Path]
) -> None:
    log_mel = LogMel()
    for one in small_corpus.recordings[:2]:
        wave, _ = audio.read(Path(one.path))
        wave = wave * audio.level_of([wave[None]]).gain
        assert one.n_segments == len(wave) // SEGMENT
        whole = torch.from_numpy(wave[: one.n_segments * SEGMENT]).reshape(-1, SEGMENT)
        stored = small_corpus.power(one, slice(None))
        expected = log_mel.power(whole).numpy()
        assert stored.shape == (one.n_segments, 259, 256)
        np.testing.assert_allclose(stored, expected, rtol=4e-3, atol=1e-9 * expected.max())


def test_arrays_are_float16_mapped_from_disk(small_corpus: Corpus) -> None:
    array = small_corpus.features(small_corpus.recordings[0])
    assert array.dtype == np.float16
    assert isinstance(array, np.memmap)


@given(exponent=st.floats(-16.5, 19.0))
def test_the_fourth_root_in_float16_keeps_every_level(exponent: float) -> None:
    """From far below the noise of 24 bits to far above full scale, within 0.2 % of the power."""
    power = np.float64(10.0**exponent)
    root = np.float16(power**0.25)
    assert float(root) ** 4 == pytest.approx(power, rel=2e-3)
    assert np.float16(0.0) ** 4 == 0.0


def test_loudness_of_the_file_does_not_matter(tmp_path: Path) -> None:
    wave = music(0, SEGMENT)
    for name, gain in {"loud": 1.0, "soft": 0.01}.items():
        (tmp_path / name).mkdir()
        sf.write(tmp_path / name / "a.wav", gain * wave, SR, subtype="FLOAT")
    opened, _ = make({name: tmp_path / name for name in ("loud", "soft")}, tmp_path / "corpus")
    loud, soft = (opened.power(one, slice(None)) for one in opened.recordings)
    np.testing.assert_allclose(loud, soft, rtol=5e-3, atol=1e-8)


def test_statistics_are_those_of_the_training_split(small_corpus: Corpus) -> None:
    for style in small_corpus.styles:
        training = [small_corpus.power(one, slice(None)) for one in small_corpus.of(style, TRAIN)]
        expected = statistics_of(lambda scale, of=training: moments(of, scale=scale))
        assert small_corpus.statistics[style].scale == pytest.approx(expected.scale)
        assert small_corpus.statistics[style].mel_std == pytest.approx(expected.mel_std)


def test_the_manifest_says_where_each_recording_comes_from(small_corpus: Corpus) -> None:
    for one in small_corpus.recordings:
        path = Path(one.path)
        assert path.is_file()
        assert one.sha256 == preparing.sha256_now(path)
        assert one.duration_s == pytest.approx(sf.info(path).duration)
        assert (one.sr, one.n_channels) == (SR, 1)
        assert one.split in SPLITS


# --- the split ----------------------------------------------------------------------------------


def fake(number: int, style: str = "jazz", split: str = "") -> Recording:
    return Recording(
        path=f"{number}.wav", style=style, split=split, sha256="", sound=f"{style}{number}",
        duration_s=3, sr=SR, n_channels=1, gain=1, n_segments=1,
        features=f"features/{style}{number}.npy", size=1, mtime_ns=1,
    )  # fmt: skip


@given(n=st.integers(0, 60), seed=st.integers(0, 5))
def test_every_recording_has_one_split_and_order_does_not_matter(n: int, seed: int) -> None:
    forward = preparing._split([fake(k) for k in range(n)], {}, seed)
    backward = preparing._split([fake(k) for k in reversed(range(n))], {}, seed)
    assert {one.sound: one.split for one in forward} == {one.sound: one.split for one in backward}
    used = {one.split for one in forward}
    assert used == (set(SPLITS) if n >= 3 else {TRAIN} if n else set())


def test_a_growing_corpus_moves_no_recording() -> None:
    before, after = (
        {one.sound: one.split for one in preparing._split([fake(k) for k in range(n)], {}, 0)}
        for n in (200, 400)
    )
    assert all(after[sound] == split for sound, split in before.items())
    shares = [list(after.values()).count(split) / 400 for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.05)


@given(n=st.integers(1, 40), more=st.integers(0, 20), seed=st.integers(0, 5))
def test_versions_of_a_piece_are_in_one_split_and_so_are_its_variants(
    n: int, more: int, seed: int
) -> None:
    versions = [
        replace(fake(2 * k + v, style), piece=f"piece {k}.{v}")
        for style in ("classical", "jazz") for k in range(n) for v in (0, 1)
    ]  # fmt: skip
    others = [fake(1000 + k, style) for style in ("classical", "jazz") for k in range(more)]
    of: dict[str, set[str]] = {}
    for one in preparing._split(versions + others, {}, seed):
        of.setdefault(one.piece.split(".")[0] or one.sound, set()).add(one.split)
    assert all(len(splits) == 1 for splits in of.values())
    if n >= 3:
        assert {split for splits in of.values() for split in splits} == set(SPLITS)


def test_names_with_a_dot_are_pieces_of_their_own() -> None:
    """Of one composer's chorales not all go where "J" goes."""
    own = [replace(fake(k), piece=f"J.S. Bach - Chorale {k}") for k in range(60)]
    assert {one.split for one in preparing._split(own, {}, 0)} == set(SPLITS)


def test_a_paired_corpus_knows_the_versions_of_its_pieces(tmp_path: Path) -> None:
    for style, seed in (("classical", 0), ("jazz", 50)):
        write_pieces(tmp_path / style, 3, seed=seed)
    sf.write(tmp_path / "jazz" / "alone.wav", music(99, SEGMENT), SR)
    sources = [f"{style}={tmp_path / style}" for style in ("classical", "jazz")]
    found = preparing.find(sources, paired=True)
    list(preparing.prepare(found, tmp_path / "corpus", n_jobs=1))
    opened = Corpus.open(tmp_path / "corpus")
    pairs = [pair for split in SPLITS for pair in opened.aligned(split)]
    assert sorted((one.style, two.style, one.piece, two.piece) for one, two in pairs) == [
        ("classical", "jazz", name, name) for name in ("000", "001", "002")
    ]


def test_pairs_that_are_none_are_refused(tmp_path: Path) -> None:
    sources = {style: tmp_path / style for style in ("classical", "jazz")}
    write_pieces(sources["classical"], 1, n_samples=4 * SEGMENT)
    (tmp_path / "jazz").mkdir()
    sf.write(tmp_path / "jazz" / "other.wav", music(3, SEGMENT), SR)
    as_given = [f"{style}={folder}" for style, folder in sources.items()]
    with pytest.raises(CorpusError, match="no recording of one style has the name"):
        preparing.find(as_given, paired=True)
    (tmp_path / "jazz" / "other.wav").rename(tmp_path / "jazz" / "000.wav")
    with pytest.raises(CorpusError, match="no versions of one piece"):
        list(preparing.prepare(preparing.find(as_given, paired=True), tmp_path / "c", n_jobs=1))


def test_another_seed_is_another_split() -> None:
    splits = [
        [one.split for one in preparing._split([fake(k) for k in range(50)], {}, s)] for s in (0, 1)
    ]
    assert splits[0] != splits[1]


def test_the_same_sound_is_kept_once_even_with_other_tags_or_container(tmp_path: Path) -> None:
    sources = {
        style: write_pieces(tmp_path / style, 2, seed=10 * k) for k, style in enumerate("ab")
    }
    wave, _ = sf.read(tmp_path / "a" / "000.wav", dtype="int16")
    sf.write(tmp_path / "a" / "again.flac", wave, SR)
    opened, skipped = make(sources, tmp_path / "corpus")
    assert len(opened.recordings) == 4
    assert [(Path(one.path).name, one.fault) for one in skipped] == [("again.flac", False)]


def test_the_same_sound_under_both_styles_is_a_fault(tmp_path: Path) -> None:
    sources = {
        style: write_pieces(tmp_path / style, 2, seed=10 * k) for k, style in enumerate("ab")
    }
    (tmp_path / "b" / "copy.wav").write_bytes((tmp_path / "a" / "001.wav").read_bytes())
    _, skipped = make(sources, tmp_path / "corpus")
    assert [one.fault for one in skipped] == [True]
    assert "the same sound as" in skipped[0].reason


# --- bad input ----------------------------------------------------------------------------------


def test_bad_files_are_named_and_the_others_prepared(tmp_path: Path) -> None:
    sources = {
        style: write_pieces(tmp_path / style, 2, seed=10 * k) for k, style in enumerate("ab")
    }
    (tmp_path / "a" / "text.wav").write_text("not music")
    sf.write(tmp_path / "a" / "one.wav", np.ones(1), SR)
    sf.write(tmp_path / "b" / "silence.wav", np.zeros(2 * SEGMENT), SR)
    opened, skipped = make(sources, tmp_path / "corpus")
    assert len(opened.recordings) == 4
    reasons = {Path(one.path).name: one.reason for one in skipped}
    assert "not audio in a format we know" in reasons["text.wav"]
    assert "lasts 0.00 s, less than one segment (2.97 s)" in reasons["one.wav"]
    assert "is silent" in reasons["silence.wav"]
    manifest = read_json(tmp_path / "corpus" / "corpus.json", kind="manifest")
    assert {Path(one["path"]).name for one in manifest["skipped"]} == set(reasons)


def test_file_names_that_are_no_text(tmp_path: Path) -> None:
    sources = {
        style: write_pieces(tmp_path / style, 1, seed=10 * k) for k, style in enumerate("ab")
    }
    (tmp_path / "a" / "000.wav").rename(tmp_path / "a" / os.fsdecode(b"caf\xe9.wav"))
    opened, skipped = make(sources, tmp_path / "corpus")
    assert (len(opened.recordings), skipped) == (2, [])


@pytest.mark.parametrize(
    ("sources", "fault"),
    [(["a"], "is not STYLE=DIR"), (["a b={}"], "is not STYLE=DIR"), (["a={}"], "needs two styles"),
     (["a={}", "b=/nowhere"], "there is no such folder"),
     (["a={}", "b={}/empty"], "holds no recordings"),
     (["a=musicnet:{}"], "no train_data"), (["a=fma:{}"], "no fma_metadata/tracks.csv")],
)  # fmt: skip
def test_sources_that_cannot_be_used(tmp_path: Path, sources: list[str], fault: str) -> None:
    write_pieces(tmp_path, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=fault):
        preparing.find([source.format(tmp_path) for source in sources])


def test_nothing_usable_of_a_style_is_an_error(tmp_path: Path) -> None:
    sources = {"a": write_pieces(tmp_path / "a", 1), "b": tmp_path / "b"}
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.wav").write_text("no")
    with pytest.raises(CorpusError, match="needs recordings of two styles"):
        make(sources, tmp_path / "corpus")
    with pytest.raises(CorpusError, match="unfinished corpus"):
        Corpus.open(tmp_path / "corpus")


@pytest.mark.parametrize("there", [False, True])
def test_a_corpus_of_nothing_usable_leaves_nothing(tmp_path: Path, there: bool) -> None:
    for style in "ab":
        (tmp_path / style).mkdir()
        (tmp_path / style / "x.wav").write_text("no")
    out = tmp_path / "deep" / "corpus"
    if there:
        out.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CorpusError, match=r"has them of: none; see the reasons above$"):
        make({style: tmp_path / style for style in "ab"}, out)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_done_of_a_corpus_stays_until_the_rest_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {"a": write_pieces(tmp_path / "a", 2), "b": tmp_path / "b"}
    sources["b"].mkdir()
    (sources["b"] / "x.wav").write_text("no")
    with pytest.raises(CorpusError, match=r"of: a; .* run it again: what is done stays$"):
        make(sources, tmp_path / "corpus")
    write_pieces(sources["b"], 2, seed=10)
    decoded: list[str] = []
    original = audio.blocks
    monkeypatch.setattr(
        audio,
        "blocks",
        lambda path, **given: decoded.append(path.parent.name) or original(path, **given),
    )
    opened, _ = make(sources, tmp_path / "corpus")
    assert len(opened.recordings) == 4 and set(decoded) == {"b"}


def test_a_corpus_that_was_stopped_before_any_was_done_leaves_nothing(tmp_path: Path) -> None:
    sources = {style: tmp_path / style for style in "ab"}
    for folder in sources.values():
        folder.mkdir()
        (folder / "x.wav").write_text("no")
    outcomes = preparing.prepare(found_in(sources), tmp_path / "corpus", n_jobs=1)
    next(outcomes)
    outcomes.close()
    assert not (tmp_path / "corpus").exists()


def test_another_folder_is_not_taken_for_a_corpus(
    tmp_path: Path, recordings: dict[str, Path]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CorpusError, match="is not empty and no corpus"):
        list(preparing.prepare(found_in(recordings), tmp_path))
    with pytest.raises(CorpusError, match="holds no corpus"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize("damage", ["{}", '{"version": 99}', "[]", '{"version": 1, "mel": 3}'])
def test_a_damaged_manifest_is_explained(tmp_path: Path, damage: str) -> None:
    (tmp_path / "corpus.json").write_text(damage)
    with pytest.raises(CorpusError, match="prepare it anew"):
        Corpus.open(tmp_path)


def test_a_damaged_array_is_explained(tmp_path: Path) -> None:
    sources = {
        style: write_pieces(tmp_path / style, 1, seed=10 * k) for k, style in enumerate("ab")
    }
    opened, _ = make(sources, tmp_path / "corpus")
    path = opened.path / opened.recordings[0].features
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorpusError, match="prepare the corpus again"):
        opened.power(opened.recordings[0], slice(None))


# --- resuming -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["gain", "scale", "mel_std"])
def test_a_manifest_that_claims_sizes_beyond_reason_is_refused(
    small_corpus: Corpus, tmp_path: Path, what: str
) -> None:
    manifest = json.loads((Path(str(small_corpus.path)) / "corpus.json").read_text())
    statistics = next(iter(manifest["statistics"].values()))
    if what == "gain":
        manifest["recordings"][0]["gain"] = 1e200
    else:
        statistics[what] = 1e300 if what == "scale" else [1e300] * len(statistics[what])
    (tmp_path / "corpus.json").write_text(json.dumps(manifest))
    with pytest.raises(CorpusError, match="damaged manifest"):
        Corpus.open(tmp_path)


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        style: write_pieces(tmp_path / style, 2, seed=10 * k) for k, style in enumerate("ab")
    }
    make(sources, tmp_path / "corpus")
    before = (tmp_path / "corpus" / "corpus.json").read_bytes()
    decoded: list[Path] = []
    original = audio.blocks
    monkeypatch.setattr(
        audio, "blocks", lambda path, **options: decoded.append(path) or original(path, **options)
    )
    make(sources, tmp_path / "corpus")
    assert decoded == []
    assert (tmp_path / "corpus" / "corpus.json").read_bytes() == before
    sf.write(tmp_path / "a" / "000.wav", music(77, SEGMENT + 5), SR)  # changed, so done again
    make(sources, tmp_path / "corpus")
    assert [path.name for path in decoded] == ["000.wav"]


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.3, 0.9])
def test_a_kill_at_any_instant_leaves_a_corpus_that_can_be_finished(
    tmp_path: Path, delay_s: float
) -> None:
    sources = {style: write_pieces(tmp_path / style, 6, seed=10 * k, n_samples=3 * SEGMENT)
               for k, style in enumerate("ab")}  # fmt: skip
    script = (
        "import sys; from pathlib import Path; from thirdstream import preparing\n"
        "print('ready', flush=True)\n"
        f"found = preparing.find(['a={sources['a']}', 'b={sources['b']}'])\n"
        f"for _ in preparing.prepare(found, Path({str(tmp_path / 'killed')!r}), n_jobs=1): pass\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    finished, _ = make(sources, tmp_path / "killed")
    whole, _ = make(sources, tmp_path / "whole")
    assert [one.sound for one in finished.recordings] == [one.sound for one in whole.recordings]
    for ours, theirs in zip(finished.recordings, whole.recordings, strict=True):
        np.testing.assert_array_equal(finished.features(ours), whole.features(theirs))
    assert finished.statistics == whole.statistics
    assert not list((tmp_path / "killed").rglob("*.part*"))


# --- collections as published -------------------------------------------------------------------


def test_musicnet_keeps_its_own_test_recordings(tmp_path: Path) -> None:
    for part, n in (("train_data", 4), ("test_data", 2)):
        write_pieces(tmp_path / "musicnet" / part, n, seed=len(part) * 7)
        (tmp_path / "musicnet" / part.replace("data", "labels")).mkdir()
    jazz = write_pieces(tmp_path / "jazz", 1, seed=99)
    found = preparing.find([f"classical=musicnet:{tmp_path / 'musicnet'}", f"jazz={jazz}"])
    list(preparing.prepare(found, tmp_path / "corpus", n_jobs=1))
    opened = Corpus.open(tmp_path / "corpus")
    assert len(opened.of("classical", TEST)) == 2
    assert all("test_data" in one.path for one in opened.of("classical", TEST))
    assert len(opened.of("classical", VALIDATION)) >= 1


def write_tracks(path: Path, rows: list[tuple[int, str, str]]) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["", "set", "set", "track", "track"])
        table.writerow(["", "split", "subset", "genre_top", "title"])
        table.writerow(["track_id", "", "", "", ""])
        table.writerows([number, split, "large", genre, "A, B"] for number, split, genre in rows)


def test_fma_is_found_by_genre_with_its_own_split(tmp_path: Path) -> None:
    fma = tmp_path / "fma"
    write_tracks(
        fma / "fma_metadata" / "tracks.csv",
        [
            (2, "training", "Jazz"),
            (140, "test", "Jazz"),
            (1001, "training", "Classical"),
            (9, "training", "Jazz"),
        ],
    )
    for number in (2, 140, 1001):
        path = fma / "fma_large" / f"{number:06}"[:3] / f"{number:06}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, music(number, SEGMENT), SR)
    jazz = preparing.find_fma(fma, "jazz", genre="Jazz")
    assert [(one.path.stem, one.split) for one in jazz] == [("000002", TRAIN), ("000140", TEST)]
    found = preparing.find([f"jazz=fma:{fma}", f"strings=fma/Classical:{fma}"])
    assert [(one.style, one.path.stem) for one in found] == [
        ("jazz", "000002"), ("jazz", "000140"), ("strings", "001001"),
    ]  # fmt: skip


def test_a_table_that_is_not_fmas_is_explained(tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match="is not FMA's tracks"):
        preparing.find_fma(tmp_path, "jazz", genre="jazz")


# --- pairs --------------------------------------------------------------------------------------


def test_pairs_show_each_segment_at_most_once_an_epoch_and_differ_between_epochs(
    small_corpus: Corpus,
) -> None:
    epochs = [Pairs(small_corpus, TRAIN, seed=0, epoch=epoch) for epoch in (0, 1)]
    smaller = min(small_corpus.n_segments(style, TRAIN) for style in small_corpus.styles)
    for pairs in epochs:
        assert len(pairs) == smaller
        for style, order in pairs.order.items():
            assert len(set(order.tolist())) == smaller
            assert order.max() < small_corpus.n_segments(style, TRAIN)
    assert any((epochs[0].order[s] != epochs[1].order[s]).any() for s in small_corpus.styles)
    again = Pairs(small_corpus, TRAIN, seed=0, epoch=1)
    assert all((again.order[s] == epochs[1].order[s]).all() for s in small_corpus.styles)


def test_a_pair_is_one_segment_of_each_style(small_corpus: Corpus) -> None:
    pairs = Pairs(small_corpus, TRAIN, seed=3)
    for style in small_corpus.styles:
        everything = np.concatenate(list(small_corpus.chunks(style, TRAIN)))
        for index in range(len(pairs)):
            expected = everything[pairs.order[style][index]]
            np.testing.assert_array_equal(pairs[index][style].numpy(), expected)


def test_the_summary_adds_up(small_corpus: Corpus) -> None:
    for style, splits in small_corpus.summary().items():
        assert sum(row["recordings"] for row in splits.values()) == 5
        n_segments = sum(one.n_segments for one in small_corpus.recordings if one.style == style)
        assert sum(row["segments"] for row in splits.values()) == n_segments
