"""The few columns that sum up an evaluation: in the terminal, and on the leaderboard."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from thirdstream.report.results import Results, Score

# What each shows: the first of these metrics that was measured.
COLUMNS = {
    "style": ("target_style_rate",),
    "content": ("melody_recall", "cover_mrr", "chroma_cosine"),
    "rhythm": ("drift_ms", "beat_f_measure"),
    "sound": ("kad",),
    "speed": ("speed_audio_s_per_s",),
}
MOST_COLUMNS = 4  # of all metrics, in one table
# The style alone, by each classifier, and how far they agree.
CLASSIFIERS = {
    "musicnn": ("target_style_rate",),
    "vgg": ("target_style_rate_vgg",),
    "big": ("target_style_rate_big",),
    "probe": ("target_style_rate_probe",),
    "agreement": ("agreement",),
}
BOUNDS = "floor: the target's recordings among themselves; chance: cover retrieval by drawn ranks"
ARROWS = {"higher": "higher is better", "lower": "lower is better"}


def metrics_of(results: Results, columns: Mapping[str, Sequence[str]] = COLUMNS) -> dict[str, str]:
    """column -> the metric that it shows; columns without any are left out."""
    measured = _measured(results)
    found = {
        column: next((name for name in names if name in measured), None)
        for column, names in columns.items()
    }
    return {column: name for column, name in found.items() if name}


def by_classifier(results: Results) -> dict[str, str]:
    """The same of the classifiers of style; empty where only the tagger was asked."""
    found = metrics_of(results, CLASSIFIERS)
    return found if "agreement" in found else {}


def all_metrics(results: Results) -> dict[str, list[str]]:
    """group -> all its metrics that were measured."""
    measured, found = _measured(results), dict[str, list[str]]()
    for name, metric in results.metrics.items():
        if name in measured:
            found.setdefault(metric.group, []).append(name)
    return found


def tables_of_all(results: Results) -> Iterator[tuple[str, dict[str, str]]]:
    """All metrics as tables that a terminal has room for: group, and column -> metric."""
    for group, names in all_metrics(results).items():
        for first in range(0, len(names), MOST_COLUMNS):
            some = names[first : first + MOST_COLUMNS]
            yield group, {name.replace("_", " "): name for name in some}


def _measured(results: Results) -> set[str]:
    """The metrics that any system has."""
    return {
        metric
        for directions in results.scores.values()
        for scores in directions.values()
        for metric in scores
    }


def definitions(results: Results) -> list[str]:
    """Of each column a line: what it is, and which way is better."""
    few = metrics_of(results) | by_classifier(results)
    return [f"{column}: {name}{_about(results, name)}" for column, name in few.items()]


def all_definitions(results: Results) -> list[str]:
    """Of every metric a line, with its group."""
    return [f"{group}: {name}{_about(results, name)}"
            for group, names in all_metrics(results).items() for name in names]  # fmt: skip


def _about(results: Results, name: str) -> str:
    metric = results.metrics.get(name)
    about = f": {metric.about}" if metric else ""
    better = ARROWS.get(metric.better if metric else "")
    return f"{about}{f'; {better}' if better else ''}"


def mean(score: Score | None) -> str:
    """As text: two decimals below 10, none from there."""
    return "" if score is None else _number(score.mean)


def interval(score: Score | None) -> tuple[str, ...]:
    """Its ends as text; empty where there is none, as of one piece or of sets."""
    if score is None or score.interval is None:
        return ()
    low, high = score.interval
    return _number(low), _number(high)


def bounds(
    results: Results, direction: str, metrics: Iterable[str]
) -> Iterator[tuple[str, Mapping[str, Score]]]:
    """The rows `chance` and `floor` (see BOUNDS), where they have one of these metrics."""
    wanted = set(metrics)
    for row, scores in results.bounds(direction).items():
        if wanted & scores.keys():
            yield row.partition(":")[0], scores


def n_recordings(scores: Mapping[str, Score]) -> str:
    """How many recordings a row is of: the most that a metric has."""
    return str(max((one.n for one in scores.values() if one.n is not None), default=""))


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
