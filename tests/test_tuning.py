import json
from pathlib import Path

import pytest

from conftest import STYLES, TINY, found_in, music
from thirdstream.cli import main
from thirdstream.data import preparing
from thirdstream.data.corpus import Corpus
from thirdstream.files import Interrupted, ThirdstreamError
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.models.paired import TwinPaired
from thirdstream.mel.training.loop import TrainingError
from thirdstream.research import tuning
from thirdstream.research.tuning import Outcome, Search

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that the tests' corpus can fill, and networks of no size."""
    monkeypatch.setattr(tuning, "BATCH_SIZES", (2, 4))
    monkeypatch.setattr(tuning, "WIDTHS", (1.0,))


def search(corpus: Corpus, out: Path, n_trials: int) -> list[Outcome]:
    return list(tuning.search("twin-cnn", TINY, corpus, out, Search(n_trials, epochs=2)))


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_search_goes_on_where_it_stopped(small_corpus: Corpus, tmp_path: Path) -> None:
    assert len(search(small_corpus, tmp_path, 2)) == 2
    new = search(small_corpus, tmp_path, 3)
    assert [one.number for one in new] == [2]
    assert search(small_corpus, tmp_path, 3) == []
    rows = json.loads((tmp_path / "trials.json").read_text())
    scores = [row["score"] for row in rows if row["score"] is not None]
    assert len(rows) == 3 and scores == sorted(scores)
    assert {"width", "n_convs", "batch_size", "lr"} == set(rows[0]["settings"])
    assert len({row["settings"]["lr"] for row in rows}) == 3  # a new draw each, resumed or not


@pytest.mark.usefixtures("small")
def test_a_trial_that_diverges_does_not_end_the_search(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(*_: object) -> None:
        raise TrainingError("not finite")

    monkeypatch.setattr(tuning, "fit", diverging)
    found = search(small_corpus, tmp_path, 2)
    assert [(one.state, one.fault) for one in found] == 2 * [("fail", "not finite")]


@pytest.mark.usefixtures("small")
def test_where_every_trial_fails_the_reason_is_said(
    small_corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(tuning, "BATCH_SIZES", (4096,))
    where = ["--corpus", str(small_corpus.path), "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as stop:
        main.main(["tune", "twin-cnn", *where, "--trials", "1", "--epochs", "1"])
    assert stop.value.code == 1
    told = capsys.readouterr().err.replace("\n", " ")
    assert "has too few training segments" in told
    assert "no trial came to its end" in told


def test_a_twin_that_learns_from_versions_needs_some_to_compare_on(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    config = TwinPaired.PRESETS["default"]
    with pytest.raises(
        ThirdstreamError, match="no validation recordings that a twin-paired can be compared on"
    ):
        list(tuning.search("twin-paired", config, small_corpus, tmp_path, Search(1, epochs=1)))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["melgan-vc", "play-as-you-like"])
def test_a_network_without_what_is_searched_is_refused(
    name: str, small_corpus: Corpus, tmp_path: Path
) -> None:
    network = FAMILIES[name].kind.PRESETS["default"]
    with pytest.raises(ThirdstreamError, match=f"{name}: its network has no width and depth"):
        next(tuning.search(name, network, small_corpus, tmp_path, Search()))


def test_trials_that_do_not_compare_are_not_ranked_together(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    search(small_corpus, tmp_path, 1)
    with pytest.raises(ThirdstreamError, match="holds trials with other epochs"):
        list(tuning.search("twin-cnn", TINY, small_corpus, tmp_path, Search(2, epochs=3)))


@pytest.mark.usefixtures("small")
def test_ctrl_c_ends_it_and_loses_only_the_trial_under_way(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    search(small_corpus, tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "fit", stopped)
        with pytest.raises(Interrupted, match="stopped in trial 1; run the same command again"):
            search(small_corpus, tmp_path, 2)
    assert [one.number for one in search(small_corpus, tmp_path, 3)] == [2, 3]


def test_it_needs_recordings_to_compare_on(tmp_path: Path) -> None:
    import soundfile as sf

    folders = {style: tmp_path / style for style in STYLES}
    for number, folder in enumerate(folders.values()):
        folder.mkdir()
        sf.write(folder / "only.wav", music(number, 140_000), 44_100)
    list(preparing.prepare(found_in(folders), tmp_path / "corpus", n_jobs=1))
    with pytest.raises(ThirdstreamError, match="has no validation recordings"):
        search(Corpus.open(tmp_path / "corpus"), tmp_path / "out", 1)
