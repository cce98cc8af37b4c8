"""The whole paper by one command: what it finds, what it uses, and that nothing is done twice."""

import csv
import dataclasses
import json
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from conftest import STYLES, but_for_cpu_s, music
from thirdstream import registry
from thirdstream.audio import SEGMENT, SR
from thirdstream.cli import main
from thirdstream.data.corpus import SPLITS, TEST, TRAIN, VALIDATION, Corpus
from thirdstream.files import Interrupted, ThirdstreamError
from thirdstream.mel.training.loop import State, Step, TrainingError, begin
from thirdstream.mel.training.run import save_state, train
from thirdstream.report import reproduction as report
from thirdstream.research import figures, reproduction, runs, sources
from thirdstream.research.reproduction import Work
from thirdstream.research.runs import How, Progress
from thirdstream.research.share import part_of

SMALL = How(seeds=1, epochs=2, batch_size=1, scale=0.01)


def write(path: Path, *, seed: int, n_segments: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, music(seed, int(n_segments * SEGMENT)), SR)


# --- MusicNet and FMA as they are unpacked ------------------------------------------------------


@pytest.mark.parametrize("above", ["", "musicnet"])
def test_all_of_musicnet_is_found_and_split_anew(tmp_path: Path, above: str) -> None:
    for number, part in enumerate(("train_data", "train_data", "test_data")):
        write(tmp_path / above / part / f"{1727 + number}.wav", seed=number)
        labels = tmp_path / above / part.replace("data", "labels") / f"{1727 + number}.csv"
        labels.parent.mkdir(exist_ok=True)
        labels.write_text("start_time,end_time,instrument,note,start_beat,end_beat,note_value\n")
    found, remarks = sources.musicnet(tmp_path)
    assert sorted(one.path.stem for one in found) == ["1727", "1728", "1729"]
    assert {(one.style, one.split) for one in found} == {("classical", None)}
    assert any("split anew" in one for one in remarks)
    assert "3 of MusicNet's 330 recordings are there" in remarks


TRACKS = {2: "Jazz", 5: "Hip-Hop", 140: "Jazz", 155_000: "Jazz", 200: ""}


def write_fma(root: Path, *, table: str = "fma_metadata", audio: str = "fma_full") -> None:
    """A table with FMA's header of three rows, and the audio of all tracks but 155000."""
    path = root / table / "tracks.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["", "album", "set", "set", "track", "track"])
        rows.writerow(["", "title", "split", "subset", "genre_top", "title"])
        rows.writerow(["track_id", "", "", "", "", ""])
        rows.writerows(
            [track, 'A, "B"', "training", "large", genre, "line\nbreak"]
            for track, genre in TRACKS.items()
        )
    for track in (2, 5, 140, 200):
        wave = music(track, SEGMENT)
        place = root / audio / f"{track:06d}"[:3] / f"{track:06d}.mp3"
        place.parent.mkdir(parents=True, exist_ok=True)
        sf.write(place, wave, SR)


@pytest.mark.parametrize("above", ["", "fma"])
def test_the_jazz_of_fma_is_found_and_what_is_missing_counted(tmp_path: Path, above: str) -> None:
    write_fma(tmp_path / above)
    found, remarks = sources.fma(tmp_path)
    assert sorted(one.path.stem for one in found) == ["000002", "000140"]
    assert {(one.style, one.split) for one in found} == {("jazz", TRAIN)}
    assert "1 of the 3 tracks of jazz in FMA have no audio file" in remarks


def test_fma_without_audio_says_which_part_has_jazz(tmp_path: Path) -> None:
    write_fma(tmp_path)
    shutil.rmtree(tmp_path / "fma_full")
    with pytest.raises(ThirdstreamError, match=r"none of the 3 tracks of jazz.*fma_full\.zip"):
        sources.fma(tmp_path)


@pytest.mark.parametrize(
    ("where", "fault"),
    [("musicnet:{}", "has no train_data"), ("fma:{}", "has no fma_metadata/tracks.csv"),
     ("{}", "holds no recordings for classical"), ("{}/none", "there is no such folder")],
)  # fmt: skip
def test_a_folder_that_holds_neither_is_explained(tmp_path: Path, where: str, fault: str) -> None:
    with pytest.raises(ThirdstreamError, match=fault):
        sources.find(where.format(tmp_path), str(tmp_path))


# --- a share of a corpus ------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.01, 0.3, 0.5, 1.0])
def test_a_share_has_so_many_segments_and_keeps_splits_apart(
    small_corpus: Corpus, scale: float
) -> None:
    part = part_of(small_corpus, scale=scale, at_least=2)
    for style in part.styles:
        for split in SPLITS:
            total = small_corpus.n_segments(style, split)
            if split == TEST:
                assert part.of(style, split) == small_corpus.of(style, split)
                continue
            wanted = min(total, max(int(np.ceil(scale * total)), 2 if split == TRAIN else 1))
            assert part.n_segments(style, split) == wanted
            own = {one.sound for one in small_corpus.of(style, split)}
            assert {one.sound for one in part.of(style, split)} <= own
    assert part.statistics == small_corpus.statistics
    if scale == 1:
        assert sorted(part.recordings, key=repr) == sorted(small_corpus.recordings, key=repr)


def test_a_larger_share_holds_the_smaller_one(small_corpus: Corpus) -> None:
    small, large = (part_of(small_corpus, scale=scale, at_least=1) for scale in (0.3, 0.7))
    there = {one.sound: one.n_segments for one in large.recordings}
    assert all(one.n_segments <= there[one.sound] for one in small.recordings)


def test_what_is_cut_are_the_first_segments_of_a_recording(small_corpus: Corpus) -> None:
    part = part_of(small_corpus, scale=0.01, at_least=1)
    [cut] = part.of("jazz", TRAIN)
    [whole] = [one for one in small_corpus.recordings if one.sound == cut.sound]
    assert cut.n_segments == 1 < whole.n_segments
    power = small_corpus.power(whole, slice(0, 1))
    np.testing.assert_array_equal(part.power(cut, slice(0, 99)), power)


# --- the whole ----------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the systems, and no figures, which take longest."""
    monkeypatch.setattr(Work, "_draws", lambda _: {})
    for module in (reproduction, runs):
        monkeypatch.setattr(module, "SYSTEMS", ("twin-cnn", "twin-gan"))


def run(corpus: Corpus, out: Path, how: How = SMALL) -> Generator[Progress]:
    return reproduction.run(corpus, how, out, command="thirdstream reproduce")


def contents(folder: Path) -> dict[str, Any]:
    """Models and results, by name; not measures, which are kept by the hash of a model's file."""
    models = {path: but_for_cpu_s(path) for path in folder.rglob("last.safetensors")}
    kept = (*folder.rglob("*.json"), *folder.rglob("*.jsonl"))
    every = models | {one: one.read_bytes() for one in kept if one.parent.name != "measures"}
    return {path.relative_to(folder).as_posix(): content for path, content in every.items()}


def clips(folder: Path) -> list[str]:
    """The bundled clips in a folder for each style."""
    for path in registry.bundled_clips():
        style = folder / path.stem.partition("_")[0]
        style.mkdir(exist_ok=True)
        shutil.copy(path, style)
    return [str(folder / style) for style in ("classical", "jazz")]


@pytest.mark.slow
def test_the_whole_paper_on_the_bundled_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "FORMATS", (".png",))
    out, folders = tmp_path / "out", clips(tmp_path)
    small = ["--seeds", "1", "--epochs", "1", "--batch-size", "1", "--scale", "0.01"]
    command = ["reproduce", *folders, "--out", str(out), *small, "--n-jobs", "1"]
    main.main(command)
    told = capsys.readouterr().out
    assert "41,168" in told and "0.05073" in told and str(out / "index.html") in told
    results = report.read(out / "results.json")
    assert [len(one.test) for one in results.losses.values()] == [1, 1, 1, 1]
    assert results.music["classical"].used[TRAIN].segments == 1
    assert any("No recording of jazz is for testing" in one for one in results.remarks)
    for number in ("01", "02", "03", "04", "07", "08", "09", "11"):
        [drawn] = [one for one in results.figures if f"figure-{number}" in one]
        assert (out / drawn).is_file() and drawn in (out / "index.html").read_text()
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*.*")}
    kept = contents(out)
    main.main(command)
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*.*")} == before
    assert contents(out) == kept


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_an_interrupted_run_gives_the_results_of_an_uninterrupted_one(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    whole = list(run(small_corpus, tmp_path / "whole"))
    with pytest.raises(Interrupted, match="Run the same command again to go on"):
        for number, _ in enumerate(run(small_corpus, tmp_path / "stopped")):
            if number == 3:  # the second system's first epoch
                signal.raise_signal(signal.SIGINT)
    killed = run(small_corpus, tmp_path / "stopped")
    while next(killed).task != "measuring":
        pass
    killed.close()
    assert not (tmp_path / "stopped" / "results.json").exists()
    rest = list(run(small_corpus, tmp_path / "stopped"))
    assert len(rest) < len(whole)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_seeds_come_one_after_the_other_and_more_may_be_asked_for(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    list(run(small_corpus, tmp_path))
    first = report.read(tmp_path / "results.json")
    list(run(small_corpus, tmp_path, How(seeds=2, epochs=2, batch_size=1, scale=0.01)))
    both = report.read(tmp_path / "results.json")
    for name, losses in both.losses.items():
        assert losses.test[:1] == first.losses[name].test
        assert len(set(losses.test)) == 2
    with pytest.raises(ThirdstreamError, match="was begun with epochs 2"):
        list(run(small_corpus, tmp_path, How(seeds=2, epochs=3, batch_size=1, scale=0.01)))


def test_a_run_of_another_network_is_not_taken_for_one_of_ours(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    part = part_of(small_corpus, scale=0.01, at_least=1)
    ours, own = (runs.Runs(part, one, tmp_path) for one in (SMALL, How(epochs=2, lr=0.5)))
    folder = ours.folder("twin-cnn", 0)
    state = begin("twin-cnn", ours.network("twin-cnn"), part, SMALL.training(0))
    save_state(state, SMALL.training(0), folder)
    assert not ours.is_finished("twin-cnn", 0)
    with pytest.raises(ThirdstreamError, match="was begun by another version, or with other set"):
        own.is_finished("twin-cnn", 0)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_a_training_that_fails_is_told_and_keeps_no_other_from_it(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(state: State, *given: Any) -> Iterator[Step]:
        for step in train(state, *given):
            yield step
            if state.system.name == "twin-cnn":
                raise TrainingError("training stopped: reconstruction not finite")

    monkeypatch.setattr(runs, "train", failing)
    alarms = [one.alarm for one in run(small_corpus, tmp_path) if one.alarm]
    assert "twin-cnn, seed 0: training stopped: reconstruction not finite" in alarms
    results = report.read(tmp_path / "results.json")
    assert [len(one.test) for one in results.losses.values()] == [0, 1]
    assert any("twin-cnn by seed 0 counts nowhere" in one for one in results.remarks)
    assert "not finite" in (tmp_path / "index.html").read_text()
    steps = [one for one in run(small_corpus, tmp_path) if one.now.startswith("training twin-cnn")]
    assert steps == []  # it would fail again


def test_published_weights_are_measured_beside_ours(
    small_corpus: Corpus, tmp_path: Path, reference: Path
) -> None:
    how = dataclasses.replace(SMALL, published=reference)
    part = part_of(small_corpus, scale=how.scale, at_least=1)
    measured = Work(small_corpus, part, how, tmp_path).published
    assert {"published-cnn", "published-variational-gan-instance-adain"} <= measured.keys()
    assert len(measured) == 7
    assert all(set(one["reconstruction"]) == set(STYLES) for one in measured.values())


def test_a_folder_without_published_weights_is_told_first(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    how = dataclasses.replace(SMALL, published=tmp_path)
    with pytest.raises(ThirdstreamError, match="holds none of the published networks"):
        next(run(small_corpus, tmp_path / "out", how))


@pytest.mark.parametrize(
    ("how", "fault"),
    [(How(scale=0), "--scale is above 0"), (How(seeds=0), "--seeds is at least 1"),
     (How(lr=-1.0), "lr must be a number above 0"),
     (How(preset="none"), "there is no preset 'none' of all systems: .*default"),
     (How(), r"fewer than a batch of 32; give more recordings, or --batch-size \d+ or less")],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_done(
    small_corpus: Corpus, tmp_path: Path, how: How, fault: str
) -> None:
    with pytest.raises(ThirdstreamError, match=fault):
        list(run(small_corpus, tmp_path / "out", how))
    assert not (tmp_path / "out").exists()


def test_a_corpus_of_other_recordings_is_not_trained_on(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    write(tmp_path / "classical" / "a.wav", seed=1)
    write(tmp_path / "jazz" / "b.wav", seed=2)
    found, _ = sources.find(str(tmp_path / "classical"), str(tmp_path / "jazz"))
    with pytest.raises(ThirdstreamError, match="is a corpus of other recordings"):
        list(reproduction.prepare(found, Path(str(small_corpus.path)), n_jobs=1))


@pytest.mark.parametrize("given", [[], ["a"], ["a", "b", "--corpus", "c"]])
def test_two_places_or_a_corpus_are_needed(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main(["reproduce", *given, "--out", str(tmp_path / "out")])
    assert stop.value.code == 1
    assert "give two places of recordings" in capsys.readouterr().err


# --- the page -----------------------------------------------------------------------------------


def example(statement: str) -> report.Reproduction:
    counts = report.Counts(recordings=1, segments=1234, hours=0.5)
    losses = {
        "twin-cnn": report.Losses(n_parameters=8054, paper=0.05, test=[0.25, 0.75], validation=[]),
        "twin-vae": report.Losses(n_parameters=14834, paper=0.06, test=[0.1, 0.3], validation=[]),
    }
    return report.Reproduction(
        command="thirdstream reproduce <a> b",
        versions={"python": "3.11"},
        settings=report.Settings(
            preset="paper", seeds=3, epochs=50, batch_size=32, lr=1e-3, scale=1.0
        ),
        corpus="abc",
        music={"jazz": report.Music(paper=counts, corpus=counts, used={VALIDATION: counts})},
        n_skipped=0,
        n_measured=7,
        n_seeds=2,
        remarks=[],
        losses=losses,
        published={"published-cnn": 0.0875, "published-gan-style-code": 0.175},
        measures={},
        findings=[report.Finding(
            section="3.1", statement=f"twin-cnn: {statement}", verdict="holds in part",
            measurement="0.1, n = 2",
        )],
        figures=["figures/figure-07-twin-cnn-seed0.png", "figures/figure-07-twin-cnn-seed0.svg"],
    )  # fmt: skip


def test_the_page_and_the_markdown_say_the_same() -> None:
    results = example("Transfers are <b>empty</b> | or not")
    html, text = str(report.page(results)), report.markdown(results)
    for said in (
        "0.50000 (0.25000 to 0.75000)",
        "1,234",
        "holds in part",
        "0.08750",
        "Figure 7: twin-cnn",
    ):
        assert said in html and said in text
    assert "<b>empty" not in html and "<b>empty" not in text
    assert "Ours: twin-vae, twin-cnn" in html and "Ours: twin-vae, twin-cnn" in text
    rows = [line for line in text.splitlines() if line.startswith("| 3.1")]
    assert len(rows) == 1 and rows[0].count(" | ") == 3
    [row] = results.verdicts().values()
    assert row == {"twin-cnn": "holds in part"}


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = example("A statement")
    report.write(results, tmp_path)
    assert report.read(tmp_path / "results.json") == results
    content = json.loads((tmp_path / "results.json").read_text()) | {"losses": 3}
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(ThirdstreamError, match="is no results file of this version"):
        report.read(tmp_path / "results.json")
