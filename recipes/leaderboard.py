"""docs/leaderboard.md, from results of `thirdstream evaluate` on the benchmark.

    python recipes/leaderboard.py --out docs/leaderboard.md [RESULTS ...] [--real RESULTS ...]

Without results it is the bundled ones. Further ones must be of the same recordings. --real: results
on real recordings, a track of their own. A system comes once a track: the first file that has it
counts.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from thirdstream import evaluation
from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.report import columns
from thirdstream.report.results import BENCHMARK, Results, Score, read_results
from thirdstream.shown import in_markdown

BUNDLED = Path(evaluation.__file__).with_name(BENCHMARK)
HEAD = """# Leaderboard

Results on [the benchmark](benchmark.md), by direction, best classification rate first, then
content. Means over n recordings, with 95 % intervals over pieces in brackets. Baselines are in
italics. *floor* is the target's recordings among themselves.

"""
REAL = """
## Real recordings

[Recordings](benchmark.md#real-recordings) of which no sheet is known: a track of its own. Its rows
are not to be compared with those above. Covers are looked for among {gallery} recordings, and
*chance* is what drawn ranks score there.

"""
FOOT = """
## Submit a system

1. Make the benchmark: `thirdstream benchmark OpenEWLD --out bench --splits validation test`.
2. Make your system load by name, as a model file or
   [in code](../CONTRIBUTING.md#add-a-system). It may not have been trained or tuned on a song of
   the split `test`, nor against a network that measures.
3. Evaluate it as all others were:

        thirdstream evaluate --corpus bench --models MINE --out mine.json \\
          --excerpt-s 20 --references 16

4. Open a pull request with `mine.json` in `benchmarks/submissions/`, and with this page as this
   command makes it:

        python recipes/leaderboard.py --out docs/leaderboard.md benchmarks/submissions/*.json

`mine.json` has the hashes of code, weights, instruments, recordings and the checkpoint, the
versions of all packages, the networks that measure with their hashes, and the settings. Say in the
pull request what the system was trained on, and under which licence its weights are.
"""


def rows(results: list[Results], direction: str) -> list[list[str]]:
    """Cells of each system, in order; of several results the first that has it."""
    found: dict[str, tuple[tuple[float, float], list[str]]] = {}
    for one in results:
        shown = columns.metrics_of(one) | columns.by_classifier(one)
        for name, scores in one.of(direction).items():
            if name in found:
                continue
            style, content = (scores.get(shown.get(key, "")) for key in ("style", "content"))
            place = tuple(-score.mean if score else 1.0 for score in (style, content))
            label = in_markdown(name)
            label = f"*{label}*" if one.systems[name].kind == "baseline" else label
            cells = [cell(scores.get(shown.get(column, ""))) for column in shown_in(one)]
            found[name] = (place, [label, columns.n_recordings(scores), *cells])
    return [cells for _, cells in sorted(found.values(), key=lambda one: one[0])]


def shown_in(results: Results) -> list[str]:
    """The columns, with the style by each further classifier that was asked."""
    return [*columns.COLUMNS, *(one for one in columns.by_classifier(results) if one != "musicnn")]


def cell(score: Score | None) -> str:
    """Mean and interval."""
    ends = ", ".join(columns.interval(score))
    return f"{columns.mean(score)} [{ends}]" if ends else columns.mean(score)


def checked(results: list[Results]) -> None:
    """Raise ThirdstreamError where results cannot stand in one table."""
    shown = {(*columns.metrics_of(one).items(), *columns.by_classifier(one)) for one in results}
    if len(shown) > 1:
        raise ThirdstreamError(
            "the results have different metrics in their columns; evaluate all systems with one "
            "version of thirdstream, and give those on real recordings as --real"
        )
    if len(set(map(material, results))) > 1:
        raise ThirdstreamError(
            "the results are of different recordings, excerpts or references; evaluate all systems "
            "on the same ones with the same --excerpt-s, --references and --seed, and with all "
            "recordings"
        )


def material(results: Results) -> tuple[object, ...]:
    """What results are of. Names, for sounds differ by rounding from one processor to another."""
    names = frozenset((one.style, one.name) for one in results.recordings)
    return names, results.settings.excerpt_s, results.settings.seed, *results.references.items()


def track(results: list[Results], kind: str = "") -> str:
    """What its columns are, and a table a direction. Raises ThirdstreamError as `checked` does."""
    checked(results)
    text = ""
    for line in columns.definitions(results[0]):
        column, _, about = line.partition(": ")
        text += f"- **{column}**: {about}\n"
    head = ["system", "n", *shown_in(results[0])]
    for direction in results[0].directions():
        title = f"{kind}{direction.replace('_to_', ' to ')}"
        title = title[:1].upper() + title[1:]
        text += f"\n## {in_markdown(title)}\n\n| {' | '.join(head)} |\n{'| --- ' * len(head)}|\n"
        text += "".join(f"| {' | '.join(cells)} |\n" for cells in rows(results, direction))
        text += "".join(f"| {' | '.join(cells)} |\n" for cells in bounds(results[0], direction))
    return text


def bounds(results: Results, direction: str) -> Iterator[list[str]]:
    """The rows that no system made: see columns.BOUNDS."""
    shown = columns.metrics_of(results)
    for name, scores in columns.bounds(results, direction, shown.values()):
        cells = [cell(scores.get(shown.get(column, ""))) for column in shown_in(results)]
        yield [f"*{name}*", "", *cells]


def page(results: list[Results], real: list[Results] | None = None) -> str:
    """The whole page. Raises ThirdstreamError where results cannot stand in one table."""
    text = HEAD + track(results)
    if real:
        text += REAL.format(gallery=real[0].gallery) + track(real, "real recordings, ")
    return text + FOOT


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--real", nargs="*", default=[], type=Path)
    given = parser.parse_args()
    try:
        results, real = (
            [read_results(path) for path in paths]
            for paths in ((BUNDLED, *given.results), given.real)
        )
        text = page(results, real)
    except ThirdstreamError as error:
        raise SystemExit(str(error)) from None
    with whole_file(given.out) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
