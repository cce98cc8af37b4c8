"""The systems that the paper stands beside, in one table and one picture.

    thirdstream evaluate --corpus bench --models MODEL... --out results.json
    python recipes/comparison.py results.json OUT.png > OUT.md

The numbers are those of `thirdstream evaluate`; nothing is measured here. Of systems that are not
in the results, the command that adds them is printed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tyro
from matplotlib import colormaps
from matplotlib.figure import Figure

from thirdstream import registry
from thirdstream.files import read_json
from thirdstream.report.results import Results, Score, read_results
from thirdstream.report.spectrograms import save

COLUMNS = {
    "target_style_rate": ("target-style rate", 2),
    "melody_recall": ("melody recall", 2),
    "chroma_cosine": ("chroma cosine", 2),
    "cover_mrr": ("cover MRR", 2),
    "kad": ("KAD", 2),
}
DRAWN = ("target_style_rate", "melody_recall", "cover_mrr")
COMMAND = "thirdstream evaluate --corpus bench --excerpt-s 20 --max-recordings 10 --references 16"
SPEED = "speed_audio_s_per_s"
WANTED = (
    *(f"{name}-paper" for name in registry.TWINS), "melgan-vc", "play-as-you-like", "travel",
    "twin-paired", "score", "encodec", "musicgen-melody",
)  # fmt: skip
CAPTION = (
    "Point: mean of both directions. Vertical line: from one direction to the other; no interval. "
    "Dotted: system or baseline without parameters."
)
LINES = {"score": "score", "copy-target": "another piece", "copy-content": "original"}
BASELINES = {
    "true-target": "same piece, other style",
    "copy-target": "another piece, other style",
    "copy-content": "original, unchanged",
}


class Subject(NamedTuple):
    """What a system costs. n_parameters, training_s: None where nobody counted."""

    n_parameters: int | None
    training_s: float | None
    seconds_a_minute: float | None

    @classmethod
    def of(cls, about: Mapping[str, Any], scores: Mapping[str, Mapping[str, Score]]) -> "Subject":
        """From a system's entries in the results."""
        speeds = [one[SPEED].mean for one in scores.values() if SPEED in one]
        a_minute = 60 / (sum(speeds) / len(speeds)) if speeds else None
        return cls(about.get("parameters"), about.get("training_s"), a_minute)

    def cells(self) -> list[str]:
        """Of the table."""
        return [
            "" if self.n_parameters is None else f"{self.n_parameters:,}",
            "" if self.training_s is None else f"{self.training_s:,.0f}",
            "" if self.seconds_a_minute is None else f"{self.seconds_a_minute:.1f}",
        ]


def table(results: Results, subjects: Mapping[str, Subject], direction: str) -> Iterator[str]:
    """The lines of a direction's table: systems as they were evaluated, then baselines."""
    scores = results.of(direction)
    yield from heading(*(label for label, _ in COLUMNS.values()))
    names = [name for name in scores if name not in BASELINES and name in subjects]
    for name in (*names, *(one for one in BASELINES if one in scores)):
        measured = [cell(scores[name].get(key), digits) for key, (_, digits) in COLUMNS.items()]
        yield f"| {BASELINES.get(name, name)} | {' | '.join(measured)} |"


def costs(subjects: Mapping[str, Subject]) -> Iterator[str]:
    """The lines of the table of costs."""
    yield from heading("parameters", "training, s of CPU", "s a minute of audio")
    for name, subject in subjects.items():
        yield f"| {name} | {' | '.join(subject.cells())} |"


def heading(*columns: str) -> Iterator[str]:
    yield f"| system | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"


def cell(score: Score | None, digits: int) -> str:
    """A mean, with its interval where it has one."""
    if score is None:
        return ""
    if score.low is None or score.high is None:
        return f"{score.mean:.{digits}f}"
    return f"{score.mean:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]"


def draw(results: Results, subjects: Mapping[str, Subject], path: Path) -> None:
    """Quality against parameters: of each system the mean of both directions, and both by a line,
    as a caption says.

    What has no parameters to count is a dotted line over all of them.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    counted = {name: one.n_parameters for name, one in subjects.items() if one.n_parameters}
    colours = dict(zip(counted, colormaps["tab20"].colors, strict=False))
    for axes, metric in zip(figure.subplots(1, len(DRAWN), sharey=True), DRAWN, strict=True):
        for name, found in values(results, metric).items():
            if name in counted:
                at = counted[name]
                axes.plot([at, at], [min(found), max(found)], color=colours[name], linewidth=1)
                axes.plot(at, sum(found) / len(found), "o", color=colours[name], label=name)
            elif name in LINES:
                height = sum(found) / len(found)
                axes.axhline(height, color="grey", linewidth=0.8, linestyle=":")
                left = 0.02 + 0.3 * list(LINES).index(name)  # beside another that is as high
                axes.text(left, height, LINES[name], transform=axes.get_yaxis_transform(),
                          fontsize=7, va="bottom")  # fmt: skip
        axes.set(xscale="log", ylim=(-0.03, 1.08), title=COLUMNS[metric][0], xlabel="parameters")
    handles = {
        h.get_label(): h for axes in figure.axes for h in axes.get_legend_handles_labels()[0]
    }
    figure.legend(handles=list(handles.values()), loc="outside right center", fontsize=7)
    figure.supxlabel(CAPTION, fontsize=7)
    save(figure, path)


def values(results: Results, metric: str) -> dict[str, list[float]]:
    """By system, the means of the directions that have one."""
    found: dict[str, list[float]] = {}
    for direction in results.directions():
        for name, scores in results.of(direction).items():
            if metric in scores:
                found.setdefault(name, []).append(scores[metric].mean)
    return found


def main(results_path: str, picture: str) -> None:
    path = Path(results_path)
    results, content = read_results(path), read_json(path, kind="results file")
    subjects = {
        name: Subject.of(about, results.scores[name])
        for name, about in content["systems"].items()
        if about["kind"] == "model"
    }
    for direction in results.directions():
        print(f"## {direction.replace('_to_', ' to ').capitalize()}\n")
        print("\n".join(table(results, subjects, direction)), end="\n\n")
    print("## Costs\n")
    print("\n".join(costs(subjects)), end="\n\n")
    draw(results, subjects, Path(picture))
    missing = [name for name in WANTED if name not in subjects]
    if missing:
        models = " ".join([*subjects, *missing])
        print(f"Not in these results: {', '.join(missing)}. The command that adds them:\n")
        print(f"    {COMMAND} \\\n      --models {models} --out results.json")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
