"""The few columns of an evaluation, in the terminal and on the leaderboard."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from test_report import made
from thirdstream.cli import evaluation
from thirdstream.evaluation import Settings, work_of
from thirdstream.evaluation.measure import METRICS, RATES
from thirdstream.files import ThirdstreamError, write_json
from thirdstream.report import columns
from thirdstream.report.results import Results, Score, benchmark_results, read_results

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "src" / "thirdstream" / "evaluation" / "benchmark-results.json"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    path = tmp_path / "results.json"
    write_json(path, made(work_of(path)))
    return read_results(path)


def leaderboard(out: Path, *given: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "recipes" / "leaderboard.py"), "--out", str(out)]
    return subprocess.run([*command, *map(str, given)], capture_output=True, text=True, check=False)


def test_a_column_shows_the_first_metric_that_there_is(results: Results) -> None:
    assert columns.metrics_of(results) == {"content": "chroma_cosine", "sound": "kad"}
    bundled = columns.metrics_of(benchmark_results())
    assert list(bundled) == list(columns.COLUMNS)
    assert (bundled["style"], bundled["content"]) == ("target_style_rate", "melody_recall")


def test_a_column_that_is_better_higher_is_no_cost() -> None:
    about = {line.partition(":")[0]: line for line in columns.definitions(benchmark_results())}
    assert about["speed"].endswith("; higher is better")
    assert "cost" not in about


def test_numbers_have_their_intervals_where_there_are_some() -> None:
    assert columns.mean(Score(mean=0.456)) == "0.46" and columns.mean(Score(mean=35.6)) == "36"
    assert columns.interval(Score(mean=0.5, low=0.1, high=12.3, n=3)) == ("0.10", "12")
    assert columns.interval(Score(mean=0.5, low=0.5, high=0.5, n=1)) == ()
    assert columns.interval(Score(mean=0.5)) == columns.interval(None) == ()
    assert columns.mean(None) == ""


def test_the_terminal_has_n_intervals_and_a_line_on_each_column(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = benchmark_results()
    evaluation._print_results(found)
    said = capsys.readouterr().out
    rate = found.scores["score"]["classical_to_jazz"]["target_style_rate"]
    assert rate.low is not None and f"{rate.low:.2f}-1.00" in said
    [row] = [line.split() for line in said.splitlines() if line.split()[:1] == ["travel"]][:1]
    assert row[1] == str(rate.n)
    for column, metric in columns.metrics_of(found).items():
        assert f"{column}: {metric}: {found.metrics[metric].about}" in said
    tables = said.partition("Means, with")[0]
    assert max(map(len, tables.splitlines())) <= 80 and "…" not in tables


def test_all_columns_are_tables_of_a_group_and_a_line_each(
    results: Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    groups = columns.all_metrics(results)
    assert groups == {"content": ["chroma_cosine"], "style": ["tag_difference"], "sets": ["kad"]}
    for one in (results, benchmark_results()):
        evaluation._print_results(one, all_columns=True)
        said = capsys.readouterr().out
        for group, names in columns.all_metrics(one).items():
            for direction in one.directions():
                title = f"{direction.replace('_', ' ')}: {group}"
                assert said.count(f" {title}\n") + said.count(f" {title} ") == -(-len(names) // 4)
            assert all(said.count(f"\n{group}: {name}: ") == 1 for name in names)
        tables = said.partition("Means, with")[0]
        assert max(map(len, tables.splitlines())) <= 80 and "…" not in tables


def test_the_terminal_shows_the_style_by_each_classifier_that_was_asked(
    results: Results,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    evaluation._print_results(results)
    assert "style by classifier" not in capsys.readouterr().out
    content = made(work_of(tmp_path / "results.json"))
    content["metrics"] |= {name: METRICS[name]._asdict() for name in (*RATES, "agreement")}
    for directions in content["scores"].values():
        for scores in directions.values():
            scores |= {name: {"mean": 0.5, "low": 0.12, "high": 0.78, "n": 3}
                       for name in (*RATES, "agreement")}  # fmt: skip
    write_json(tmp_path / "results.json", content)
    evaluation._print_results(read_results(tmp_path / "results.json"))
    said = capsys.readouterr().out
    table = said.partition("style by classifier")[2].partition("Means, with")[0]
    assert table.split()[:7] == ["system", "n", "musicnn", "vgg", "big", "probe", "agreement"]
    assert table.count("0.12-0.78") == 5 * 3
    assert max(map(len, table.splitlines())) <= 80 and "…" not in table
    assert f"vgg: target_style_rate_vgg: {METRICS['target_style_rate_vgg'].about}" in said
    assert "agreement: agreement: share of pairs" in said


def test_intervals_below_zero_can_be_read(
    results: Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    low = Score(mean=-50.2, low=-52.3, high=-48.1, n=3)
    scores = {name: {way: {**of, "kad": low} for way, of in ways.items()}
              for name, ways in results.scores.items()}  # fmt: skip
    evaluation._print_results(results.model_copy(update={"scores": scores}))
    said = capsys.readouterr().out
    assert "-52 to -48" in said and "--" not in said


def test_the_leaderboard_is_that_of_the_bundled_results(tmp_path: Path) -> None:
    done = leaderboard(tmp_path / "page.md")
    assert done.returncode == 0, done.stderr
    kept = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == kept


def test_the_leaderboard_has_the_style_by_each_classifier_that_was_asked() -> None:
    page = runpy.run_path(str(ROOT / "recipes" / "leaderboard.py"))["page"]
    found = benchmark_results()
    further = {"target_style_rate_vgg": 0.75, "agreement": 0.8}
    bare, scores = (
        {
            name: {
                way: {key: one for key, one in of.items() if key not in further} | more
                for way, of in ways.items()
            }
            for name, ways in found.scores.items()
        }
        for more in ({}, {key: Score(mean=value, n=10) for key, value in further.items()})
    )
    text = page([found.model_copy(update={"scores": scores})])
    assert text.count("| speed | vgg | agreement |") == 2
    assert text.count("| 0.75 | 0.80 |\n") == sum(map(len, scores.values()))
    with pytest.raises(ThirdstreamError, match="different metrics in their columns"):
        page([found.model_copy(update={"scores": one}) for one in (bare, scores)])


def test_a_submission_is_placed_by_style_then_content_and_no_system_comes_twice(
    tmp_path: Path,
) -> None:
    content = json.loads(BUNDLED.read_text(encoding="utf-8"))
    for part in ("scores", "systems"):
        mine = content[part]["twin-cnn"]
        content[part] = {"a|b": mine, "score": content[part]["twin-vae"]}
    for scores in content["scores"]["a|b"].values():
        scores["target_style_rate"] |= {"mean": 1.0, "high": 1.0}
        scores["melody_recall"] |= {"mean": 0.99, "high": 1.0}
    n = content["scores"]["a|b"]["classical_to_jazz"]["target_style_rate"]["n"]
    write_json(tmp_path / "mine.json", content)
    assert leaderboard(tmp_path / "page.md", tmp_path / "mine.json").returncode == 0
    lines = (tmp_path / "page.md").read_text(encoding="utf-8").splitlines()
    tables = [number for number, line in enumerate(lines) if line.startswith("| ---")]
    assert len(tables) == 2
    for number in tables:
        assert lines[number + 1].startswith(f"| a&#124;b | {n} | 1.00 [")
    assert sum(line.startswith("| score |") for line in lines) == 2
    del content["metrics"]["melody_recall"]
    for one in content["scores"].values():
        for scores in one.values():
            del scores["melody_recall"]
    write_json(tmp_path / "mine.json", content)
    done = leaderboard(tmp_path / "other.md", tmp_path / "mine.json")
    assert "different metrics in their columns" in done.stderr
    assert not (tmp_path / "other.md").exists()


@pytest.mark.parametrize("key", ["recordings", "references", "excerpt_s", "seed"])
def test_results_of_other_recordings_are_in_no_table_together(key: str, tmp_path: Path) -> None:
    """Nor of fewer, as of `--max-recordings 1`."""
    content = json.loads(BUNDLED.read_text(encoding="utf-8"))
    if key == "recordings":
        content[key] = content[key][:2]
    elif key == "references":
        content[key] = dict.fromkeys(content[key], 4)
    else:
        content["settings"][key] += 1
    write_json(tmp_path / "mine.json", content)
    done = leaderboard(tmp_path / "page.md", tmp_path / "mine.json")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "are of different recordings, excerpts or references" in done.stderr
    assert not (tmp_path / "page.md").exists()


def test_who_submits_is_told_the_settings_of_the_bundled_results() -> None:
    settings = json.loads(BUNDLED.read_text(encoding="utf-8"))["settings"]
    page = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    command = page.partition("thirdstream evaluate ")[2].partition("\n\n")[0].split()
    for key in ("excerpt_s", "max_recordings", "references", "seed"):
        option, asked = f"--{key.replace('_', '-')}", getattr(Settings(), key)
        if option in command:
            asked = type(asked)(command[command.index(option) + 1])
        assert asked == settings[key], key


def test_real_recordings_are_a_track_of_their_own(tmp_path: Path) -> None:
    content = json.loads(BUNDLED.read_text(encoding="utf-8"))
    content["settings"]["excerpt_s"], content["recordings"] = 9.0, content["recordings"][:2]
    content["gallery"] = 321
    for part in ("scores", "systems"):
        content[part] = {name: content[part][name] for name in ("score", "noise")}
    for one in content["scores"].values():
        for scores in one.values():
            del scores["melody_recall"]
    write_json(tmp_path / "real.json", content)
    done = leaderboard(tmp_path / "page.md", "--real", tmp_path / "real.json")
    assert done.returncode == 0, done.stderr
    bench, _, real = (tmp_path / "page.md").read_text().partition("\n## Real recordings\n")
    assert real.count("| score |") == 2 and real.count("| *noise* |") == 2
    assert "| *chance* |" not in bench and real.count("| *chance* |") == 2
    assert "321 recordings" in real and "**content**: cover_mrr" in real
    assert "## Real recordings, jazz to classical" in real and "**content**: melody_recall" in bench
    assert "## Submit a system" in real
    kept = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    assert kept.startswith(bench)


def test_the_terminal_has_chance_and_floor_beside_what_they_belong_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = benchmark_results()
    evaluation._print_results(found)
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    assert [one for one in lines if one[:1] == ["floor"]] == [
        ["floor", columns.mean(Score(mean=found.floors[style]["kad"]))]
        for style in ("jazz", "classical")
    ]
    assert ["chance"] not in [one[:1] for one in lines]  # no column is of cover retrieval
    assert f"one of {found.gallery} recordings" in said and columns.BOUNDS in said
    evaluation._print_results(found, all_columns=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    chance = found.chance["classical_to_jazz"]["cover_mrr"]
    assert ["chance", columns.mean(Score(mean=chance))] in [one[:2] for one in lines]
