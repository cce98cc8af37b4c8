"""evaluate on a small corpus: baselines by what they must score, resuming, and what is missing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from conftest import STYLES, music, tone
from thirdstream import registry
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.data import pairs
from thirdstream.data.corpus import TEST, Corpus
from thirdstream.evaluation import (
    Settings,
    dependencies,
    evaluate,
    harmony,
    material,
    measure,
    summary,
)
from thirdstream.evaluation.pitch import Track
from thirdstream.evaluation.summary import summarise
from thirdstream.evaluation.tagger import TaggerOutput
from thirdstream.files import ThirdstreamError, write_json
from thirdstream.mel.system import MelSystem
from thirdstream.notes.transcription.transcriber import Posteriors

BASELINES = ["copy-content", "copy-target", "resynthesis", "noise"]  # where no pair is known
QUICK = Settings(excerpt_s=3.0, max_recordings=1, references=4, examples=1)


class FakeTagger:
    """What is bright is jazz; embeddings from the sound itself."""

    def about(self) -> dict[str, str]:
        return {"package": "fake 1"}

    def predict(self, wave: np.ndarray, sr: int, networks: object = None) -> TaggerOutput:
        bright = float(np.abs(np.diff(wave)).mean() / (np.abs(wave).mean() + 1e-9))
        parts = np.array_split(wave, 3)
        rows = [[part.std(), np.abs(np.diff(part)).mean(), part.max()] for part in parts]
        tags = {"MTT": {"classical": 1 - bright}, "MSD": {"jazz": bright}}
        return TaggerOutput(tags, np.array(rows, np.float32))


class FakeTranscriber:
    def about(self) -> dict[str, str]:
        return {"package": "fake 1"}

    def predict(self, wave: np.ndarray, sr: int) -> Posteriors:
        frames = np.abs(wave[: len(wave) // 512 * 512].reshape(-1, 512)).max(axis=1)
        sounds = np.zeros((len(frames), 88), np.float32)
        sounds[:, 40] = frames > 0.1
        return Posteriors(sounds, np.zeros_like(sounds))


MISSING = {"transcriber": "not here; type: pip"}
TAGGER_ALONE = measure.EvaluationModels(FakeTagger(), missing=MISSING)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_transcriber(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "evaluation_models", lambda: TAGGER_ALONE)


@pytest.fixture
def transcriber(no_transcriber: None, monkeypatch: pytest.MonkeyPatch) -> None:
    models: Any = replace(TAGGER_ALONE, transcriber=FakeTranscriber(), missing={})  # type: ignore[arg-type]
    monkeypatch.setattr(measure, "evaluation_models", lambda: models)


@pytest.fixture
def model(system: MelSystem, small_corpus: Corpus, tmp_path: Path) -> Path:
    system.set_statistics(small_corpus.statistics)
    system.save(tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def evaluated(corpus: Corpus, work: Path, models: list[str]) -> dict[str, Any]:
    found = material.of_corpus(corpus)
    entries = evaluate.entries_of(models, found)
    jobs = evaluate.plan(found, entries, QUICK)
    outcomes = list(evaluate.run(jobs, QUICK, work, n_jobs=1))
    return summarise(outcomes, {}, found, entries, QUICK)


def test_baselines_score_what_they_must(
    small_corpus: Corpus, transcriber: None, tmp_path: Path
) -> None:
    results = evaluated(small_corpus, tmp_path, [])
    assert results["left_out"] == {}
    assert list(results["systems"]) == BASELINES
    for direction in ("classical_to_jazz", "jazz_to_classical"):
        copy = {
            key: one["mean"] for key, one in results["scores"]["copy-content"][direction].items()
        }
        for key in ("chroma_cosine", "beat_f_measure", "note_f1"):
            assert copy[key] == approx(1)
        assert copy["pitch_jaccard_distance"] == 0
        assert copy["cover_mrr"] == copy["cover_hit_at_1"] == 1
        assert copy["drift_ms"] == approx(0, abs=0.1) and copy["tempo_kept"] == 1
        assert copy["key_score"] == 1
        assert copy["tag_difference"] == approx(copy["target_tag"] - copy["source_tag"])
        other = results["scores"]["copy-target"][direction]
        assert other["chroma_cosine"]["mean"] < 0.95
        again = results["scores"]["resynthesis"][direction]
        assert again["chroma_cosine"]["mean"] > other["chroma_cosine"]["mean"]
        assert 0 < again["mel_consistency"]["mean"] < 0.2
        noise = results["scores"]["noise"][direction]
        assert noise["noise_floor_db"]["mean"] == approx(0, abs=0.8)
        assert copy["noise_floor_db"] < -10 and "attack_ms" not in noise
        for one in (copy, {key: value["mean"] for key, value in other.items()}):
            assert one["spectral_balance_db"] < noise["spectral_balance_db"]["mean"]
        for scores in results["scores"].values():
            assert {"kad", "fad", "timbre_distance_mfcc"} <= scores[direction].keys()
            assert {"spectral_balance_db", "loudness_range_lu"} <= scores[direction].keys()
            assert all(one["n"] == 1 for one in scores[direction].values())
    assert {"kad", "fad", "timbre_distance_mfcc"} <= results["floors"]["jazz"].keys()
    jobs = evaluate.plan(material.of_corpus(small_corpus), [], QUICK)
    pieces = {(one.item.key, one.item.piece) for one in jobs}
    for own in results["recordings"]:
        n_others = sum(piece != Path(own["name"]).stem for _, piece in pieces)
        ranks = 1 / np.arange(1, n_others + 2)
        direction = next(one for one in results["chance"] if one.startswith(own["style"]))
        assert results["chance"][direction] == approx(
            {"cover_mrr": ranks.mean(), "cover_hit_at_1": 1 / len(ranks)}
        )
    assert results["gallery"] == n_others + 1 > 4
    assert results["evaluation_models"]["tagger"] == {"package": "fake 1"}
    json.dumps(results, allow_nan=False)


class FakePitch:
    def about(self) -> dict[str, str]:
        return {"package": "fake 2", "licence": "MIT"}

    def predict(self, wave: np.ndarray, sr: int) -> Track:
        frames = wave[: len(wave) // 512 * 512].reshape(-1, 512)
        hz = 200 + 100 * np.abs(np.diff(np.sign(frames), axis=1)).sum(axis=1)
        return Track(np.arange(len(hz)) * 512 / sr, hz, np.ones(len(hz), bool))


def test_melodies_are_compared_where_a_pitch_tracker_is_installed_and_one_voice_leads(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: Any = replace(TAGGER_ALONE, pitch=FakePitch())  # type: ignore[arg-type]
    monkeypatch.setattr(measure, "evaluation_models", lambda: models)
    results = evaluated(small_corpus, tmp_path / "a", [])
    assert results["evaluation_models"]["pitch"] == {"package": "fake 2", "licence": "MIT"}
    assert not set(measure.MELODY_METRICS) & set(results["left_out"])
    for way in results["chance"]:
        copy, noise = (results["scores"][name][way] for name in ("copy-content", "noise"))
        for name in measure.MELODY_METRICS:
            assert copy[name]["mean"] == 1 and noise[name]["mean"] < 0.5
    monkeypatch.setattr("thirdstream.evaluation.pitch.LEADS", 1.1)
    results = evaluated(small_corpus, tmp_path / "b", [])
    assert not set(measure.MELODY_METRICS) & set(results["scores"]["noise"][way])
    without = replace(TAGGER_ALONE, missing={"pitch": "not there; type: pip"})
    left_out = without.left_out(STYLES)
    assert {left_out[name] for name in measure.MELODY_METRICS} == {"not there; type: pip"}


class FakeChords:
    """A chord for each second, by its level."""

    def about(self) -> dict[str, str]:
        return {"package": "fake 3", "licence": "MIT"}

    def predict(self, wave: np.ndarray, sr: int) -> harmony.Chords:
        levels = [part.std() for part in np.array_split(wave, 3)]
        spans = np.arange(len(levels))[:, None] + np.array([0.0, 1.0])
        roots = [int(1e4 * one) % 12 for one in levels]
        return harmony.Chords(spans, [harmony.label_of(root, (0, 4, 7)) for root in roots])


def test_chords_are_compared_where_the_recogniser_is_installed(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: Any = replace(TAGGER_ALONE, chords=FakeChords())  # type: ignore[arg-type]
    monkeypatch.setattr(measure, "evaluation_models", lambda: models)
    results = evaluated(small_corpus, tmp_path, [])
    assert results["evaluation_models"]["chords"] == {"package": "fake 3", "licence": "MIT"}
    for way in results["chance"]:
        copy, noise = (results["scores"][name][way] for name in ("copy-content", "noise"))
        assert copy["chord_root"]["mean"] == copy["chord_majmin"]["mean"] == 1
        assert noise["chord_root"]["mean"] < 1
        assert "true_chord_root" not in copy  # nobody knows this corpus's chords


def test_results_say_by_hashes_what_they_depend_on(
    small_corpus: Corpus,
) -> None:
    found = material.of_corpus(small_corpus)
    jobs = evaluate.plan(found, [evaluate.Entry("copy-content")], QUICK)
    outcomes = [
        evaluate.Outcome(job, {"copy-content" if job.entries else "reference": {}}) for job in jobs
    ]
    hashes = summary._hashes(outcomes)
    assert hashes.keys() == {"code", "weights", "voice", "recordings", "references"}
    assert all(len(one) == 64 for one in hashes.values()) and len(set(hashes.values())) == 5
    assert summary._hashes(outcomes[::-1]) == hashes  # whatever the order
    assert summary._hashes(outcomes[1:])["recordings"] != hashes["recordings"]
    assert summary._hashes(outcomes[:-1])["references"] != hashes["references"]


def test_a_sound_is_analysed_once_whichever_rows_it_is_in(
    recordings: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again where what is kept of it is damaged; the results are the same."""
    models: Any = measure.EvaluationModels(
        FakeTagger(), FakeTranscriber(), FakePitch(), FakeChords(), missing={}
    )  # type: ignore[arg-type]
    monkeypatch.setattr(measure, "evaluation_models", lambda: models)
    for style, place in recordings.items():
        (tmp_path / "mine" / style).mkdir(parents=True)
        for name in ("piece0.wav", "piece2.wav"):
            shutil.copy(place / name, tmp_path / "mine" / style)
    found = material.open_material(tmp_path / "mine")
    entries = [one for one in evaluate.entries_of([], found) if one.name.startswith("copy")]
    jobs = evaluate.plan(found, entries, Settings(excerpt_s=3.0, references=2))
    heard: list[bytes] = []

    def analyse(wave: np.ndarray, models: Any, of: Any = measure.analyse) -> measure.Analysis:
        heard.append(wave.tobytes())
        return of(wave, models)

    def results(work: Path) -> dict[str, Any]:
        outcomes = list(evaluate.run(jobs, Settings(excerpt_s=3.0), work, n_jobs=1))
        return summarise(outcomes, {}, found, entries, QUICK)

    monkeypatch.setattr(measure, "analyse", analyse)
    monkeypatch.setattr(measure, "reference_features", lambda *given: 1 / 0)  # all are known
    first = results(tmp_path / "work")
    assert len(heard) == len(set(heard)) == 4
    for path in (tmp_path / "work").glob("copy*.json"):
        path.unlink()
    assert results(tmp_path / "work") == first and len(heard) == 4
    for path in (tmp_path / "work" / "analyses").iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    for path in (tmp_path / "work").glob("copy*.json"):
        path.unlink()
    assert results(tmp_path / "work") == first and len(heard) == 8


@pytest.mark.parametrize("name", ["weights.json", "activations.onnx", "jazz.toml"])
def test_work_of_other_weights_of_score_is_not_used_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = registry.load("score")
    before = dependencies.code_of(score)
    of = dependencies.sha256
    monkeypatch.setattr(dependencies, "sha256", lambda path: "" if path.name == name else of(path))
    assert dependencies.code_of(score) != before


def test_noise_is_as_loud_as_all_and_a_recordings_own() -> None:
    one, again, other = (measure.white_noise(SR, seed=seed) for seed in ("a", "a", "b"))
    assert 20 * np.log10(np.sqrt(np.square(one).mean())) == approx(-20, abs=0.05)
    assert (one == again).all()
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.03


def test_a_model_is_measured_and_work_resumes(
    small_corpus: Corpus, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "N_MEL_SEGMENTS", 1)
    work = tmp_path / "work"
    results = evaluated(small_corpus, work, [str(model)])
    row = results["scores"]["tiny"]["classical_to_jazz"]
    assert {
        "eq1_mel_error",
        "mel_consistency",
        "reconstruction_multi_resolution_stft",
    } <= row.keys()
    assert results["systems"]["tiny"]["parameters"] > 0
    assert results["left_out"] == dict.fromkeys(measure.NOTE_METRICS, "not here; type: pip")
    assert not set(results["left_out"]) & set(row)
    for example in results["examples"]:
        sounds = [example["original"], *(one["sound"] for one in example["systems"].values())]
        assert all(sf.info(work / sound).duration == approx(3, abs=0.1) for sound in sounds)

    def never(*_: Any) -> Any:
        raise AssertionError("measured twice")

    monkeypatch.setattr(evaluate, "output_of", never)
    monkeypatch.setattr(measure, "reference_features", never)
    assert evaluated(small_corpus, work, [str(model)]) == results
    for path in work.glob("copy-content-*.json"):
        path.unlink()
    with pytest.raises(AssertionError, match="measured twice"):
        evaluated(small_corpus, work, [str(model)])


def test_a_model_with_an_option_is_an_entry_of_its_own(
    small_corpus: Corpus, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "N_MEL_SEGMENTS", 1)
    blended = f"{model}+blend=1"
    results = evaluated(small_corpus, tmp_path / "work", [str(model), blended])
    assert results["systems"]["tiny+blend=1"]["options"] == {"blend": 1.0}
    rows = results["scores"]["tiny+blend=1"]["classical_to_jazz"]
    assert rows["chroma_cosine"]["mean"] == approx(1, abs=1e-3)  # the recording itself
    assert results["scores"]["tiny"]["classical_to_jazz"]["chroma_cosine"]["mean"] < 0.99


@pytest.mark.parametrize(
    ("options", "says"),
    [("+blend=much", "'much' is no number"), ("+blend=2", "between 0 and 1"),
     ("+tempo=2", "is no model")],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(
    small_corpus: Corpus, model: Path, options: str, says: str
) -> None:
    with pytest.raises(ThirdstreamError, match=says):
        evaluate.entries_of([f"{model}{options}"], material.of_corpus(small_corpus))


def test_another_seed_model_or_soundfont_is_other_work(small_corpus: Corpus) -> None:
    found = material.of_corpus(small_corpus)
    job = evaluate.plan(found, evaluate.entries_of([], found), QUICK)[0]
    places = {
        evaluate._place(job, entry, Settings(excerpt_s=seconds, seed=seed), TAGGER_ALONE)
        for sha256 in ("a", "b") for seconds in (3.0, 4.0) for seed in (0, 1)
        for parts in ((), ("a soundfont",))
        if (entry := evaluate.Entry("x", "x", sha256, parts=parts))
    }  # fmt: skip
    assert len(places) == 16


@given(
    names=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 2)), min_size=2, unique=True),
    seed=st.integers(0, 5),
)
def test_copies_are_of_other_pieces_and_none_comes_twice(
    names: list[tuple[int, int]], seed: int
) -> None:
    """As long as there are enough: to the last ones only their own piece may be left."""
    here, there = (
        [material.Item(Path(style, f"{n}.{k}.flac"), style, "", piece=str(n)) for n, k in names]
        for style in STYLES
    )
    copied = list(evaluate._others(here, there, seed))
    if len({item.piece for item in here}) > 1:
        assert all(one.piece != item.piece for one, item in zip(copied, here, strict=True))
    sure = max(1, len(copied) - 2)  # so far others than a piece's own two are left
    assert len({one.path for one in copied[:sure]}) == sure
    assert copied == list(evaluate._others(here, there, seed))


def test_numbers_in_names_are_takes_of_one_piece_in_pairs_alone(tmp_path: Path) -> None:
    """Of symphonies with a number each is a piece of its own."""
    for style in STYLES:
        for name in ("Symphony No.5", "Symphony No.7"):
            (tmp_path / style).mkdir(exist_ok=True)
            sf.write(tmp_path / style / f"{name}.wav", np.zeros(8), SR)
    found = material.by_style(tmp_path, STYLES)
    assert {one.piece for one in found.tests["jazz"]} == {"Symphony No.5", "Symphony No.7"}
    record = {"format": "wav", "beats_per_minute": 90, "n_bars": 1, "bar_s": 2.0}
    listed = dict.fromkeys(
        ("Symphony No.5", "Symphony No.7"), record | {"melody": [], "chords": []}
    )
    write_json(tmp_path / pairs.MANIFEST, {"pairs": listed})
    found = material.open_material(tmp_path)
    assert {one.piece for one in found.tests["jazz"]} == {"Symphony No"}


def test_tests_and_references_share_no_recording(small_corpus: Corpus) -> None:
    found = material.of_corpus(small_corpus)
    jobs = evaluate.plan(found, evaluate.entries_of([], found), Settings())
    tests = [job for job in jobs if job.entries]
    split = {one.path for one in small_corpus.recordings if one.split == TEST}
    assert {str(job.item.path) for job in tests} == split
    assert not split & {str(job.item.path) for job in jobs if not job.entries}
    assert len(jobs) > len(tests)
    assert all(job.copied and job.copied.style == job.target for job in tests)


def test_a_bad_recording_of_ones_own_stops_no_other(
    small_corpus: Corpus, recordings: dict[str, Path], tmp_path: Path
) -> None:
    own = {style: tmp_path / style for style in STYLES}
    for number, (style, folder) in enumerate(own.items()):
        folder.mkdir()
        shutil.copy(recordings[style] / "piece0.wav", folder / "good.wav")
        sf.write(folder / "short.wav", music(number, SR // 2), SR)
    sf.write(own["jazz"] / "silent.wav", np.zeros(4 * SR), SR)
    (own["jazz"] / "text.wav").write_text("no sound")
    settings = Settings(excerpt_s=3.0, examples=0)
    sources = [f"{style}={folder}" for style, folder in own.items()]
    found = material.open_material(small_corpus.path, sources)
    entries = evaluate.entries_of([], found)[:1]
    jobs = evaluate.plan(found, entries, settings)
    outcomes = list(evaluate.run(jobs, settings, tmp_path / "w", n_jobs=1))
    results = summarise(outcomes, {}, found, entries, settings)
    assert {Path(one["path"]).name for one in results["skipped"]} == {"silent.wav", "text.wav"}
    assert results["scores"]["copy-content"]["jazz_to_classical"]["chroma_cosine"]["n"] == 2


def test_a_folder_of_two_styles_is_a_corpus_of_real_recordings(
    recordings: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    for style, place in recordings.items():
        (folder / style / "deep").mkdir(parents=True)
        shutil.copy(place / "piece0.wav", folder / style / "deep")
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_text("no recording")
    found = material.open_material(folder)
    assert (found.name, found.styles) == ("mine", ("classical", "jazz"))
    assert {style: [one.path.name for one in items] for style, items in found.tests.items()} == {
        style: ["piece0.wav"] for style in STYLES
    }
    assert found.references == found.tests and not found.has_pairs
    assert all(material.truth_of(one, 3.0) is None for one in found.tests["jazz"])
    (folder / "tan go").mkdir()
    shutil.copy(recordings["jazz"] / "piece0.wav", folder / "tan go")
    with pytest.raises(ThirdstreamError, match=r"3 styles \(classical, jazz, tan go\)"):
        material.open_material(folder)
    shutil.rmtree(folder / "jazz")
    with pytest.raises(ThirdstreamError, match="no style can be called so"):
        material.open_material(folder)
    shutil.rmtree(folder / "tan go")
    with pytest.raises(ThirdstreamError, match=r"1 styles \(classical\)"):
        material.open_material(folder)


@pytest.mark.parametrize(("seconds", "expected"), [(3.0, 3.0), (60.0, 10.0)])
def test_an_excerpt_is_the_middle_at_minus_20_db(
    tmp_path: Path, seconds: float, expected: float
) -> None:
    wave = np.concatenate([tone(4 * SR, hz=200), tone(2 * SR, hz=800), tone(4 * SR, hz=200)])
    sf.write(tmp_path / "x.flac", wave, SR)
    found = material.excerpt(tmp_path / "x.flac", seconds)
    assert len(found) / SR == approx(expected)
    assert 20 * np.log10(np.sqrt(np.square(found).mean())) == approx(-20, abs=0.05)
    middle = found[len(found) // 2 - SR // 2 :][:SR]
    assert np.abs(np.fft.rfft(middle)).argmax() == 800


@pytest.mark.parametrize(
    "sources", [["jazz=nowhere"], ["polka=."], ["jazz"], ["jazz={folder}"]], ids=str
)
def test_folders_that_cannot_be_are_refused(
    sources: list[str], recordings: dict[str, Path]
) -> None:
    given = [source.format(folder=recordings["jazz"]) for source in sources]
    with pytest.raises(ThirdstreamError):
        material.own_recordings(given, STYLES)


def test_settings_models_and_recordings_that_cannot_be_are_refused(
    small_corpus: Corpus, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ThirdstreamError, match="3 s or more"):
        Settings(excerpt_s=float("nan"))
    with pytest.raises(ThirdstreamError, match="references"):
        Settings(references=1)
    with pytest.raises(SystemExit):
        main.main(["evaluate", "--help"])
    assert "2 or more" in capsys.readouterr().out
    with pytest.raises(ThirdstreamError, match="is called tiny too"):
        evaluate.entries_of([str(model), str(model)], material.of_corpus(small_corpus))
    with pytest.raises(ThirdstreamError, match=r"does not know the style .* give the folders"):
        evaluate.entries_of([str(model)], material.Material("x", ("polka", "jazz"), {}, {}))
    with pytest.raises(ThirdstreamError, match="bring the recording back"):
        material.item_of(model.with_name("gone.wav"), "jazz")


def test_the_command(
    small_corpus: Corpus,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')
    monkeypatch.setattr(evaluate, "output_of", lambda entry, wave, job, settings: (wave, {}))
    out = tmp_path / "results.json"
    main.main(
        ["evaluate", "--corpus", str(small_corpus.path), "--models", str(model), "--out", str(out),
         "--excerpt-s", "3", "--max-recordings", "1", "--references", "2", "--examples", "0",
         "--n-jobs", "1"]
    )  # fmt: skip
    said = capsys.readouterr()
    assert "not here; type: pip" in said.err
    assert "tiny" in said.out
    assert json.loads(out.read_text())["systems"].keys() == {*BASELINES, "tiny"}
    with pytest.raises(SystemExit):
        main.main(["evaluate", "--corpus", str(small_corpus.path), "--out", str(other)])
    assert other.read_text() == '{"a": 1}'
    third = tmp_path / "third.json"
    asked = ["evaluate", "--corpus", str(small_corpus.path), "--out", str(third)]
    with pytest.raises(SystemExit):
        main.main([*asked, "--classifiers", "no-probe"])
    assert "no-probe: there is no such classifier; make it with" in capsys.readouterr().err
    assert not third.exists() and not third.with_suffix(".work").exists()
