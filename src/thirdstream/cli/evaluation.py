"""Evaluation, its page, and the paper's figures."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.box import SIMPLE_HEAD
from rich.table import Table

from thirdstream import registry
from thirdstream.cli.console import OUT, Failed, complain, progress_bar, say, tell
from thirdstream.cli.locks import writes_file
from thirdstream.evaluation import Settings as Evaluation
from thirdstream.evaluation import work_of
from thirdstream.files import ThirdstreamError, check_free, read_json, write_json
from thirdstream.packages import extra
from thirdstream.parallel import Workers

if TYPE_CHECKING:
    from thirdstream.evaluation.cost import Cost
    from thirdstream.evaluation.evaluate import Entry, Job, Outcome
    from thirdstream.evaluation.material import Item
    from thirdstream.report.results import Results


@writes_file
def evaluate(
    *,
    corpus: str,
    out: Path,
    models: tuple[str, ...] = (registry.BASELINE,),
    recordings: tuple[str, ...] = (),
    gallery: tuple[Path, ...] = (),
    all_columns: bool = False,
    settings: tyro.conf.OmitArgPrefixes[Evaluation] = Evaluation(),  # noqa: B008
    workers: tyro.conf.OmitArgPrefixes[Workers] = Workers(),  # noqa: B008
) -> None:
    """Measure systems on test recordings: content, style, sound and speed, both directions.

    Example: thirdstream evaluate --corpus corpus --models twin-cnn runs/mine --out results.json

    The table shows a few columns; OUT has all metrics, and `thirdstream report` shows them. There
    are always four baselines: a copy of the content, a copy of a target recording, resynthesis
    without transfer, and noise. Run the same command again to go on after an interruption.

    Args:
        corpus: folder that `thirdstream prepare` made, with its recordings still in place; or one
            of `thirdstream benchmark` or `thirdstream arrange`, where the true notes are known too;
            or one of your own that holds two folders of recordings, each named after its style;
            with --recordings also a corpus by its address.
        out: file for the results; beside it a folder .work keeps what is done and the excerpts.
        models: names of systems and models, .safetensors files or run folders. For other options
            than the defaults add +style-strength=, +keep-content= or +blend= and a number, as in
            score+keep-content=0.25.
        recordings: STYLE=FOLDER, twice: recordings of your own instead of the corpus's test ones.
        gallery: folders of further recordings that originals are looked for among (cover
            retrieval), beside those that are evaluated and the references; the folder of a
            benchmark or of pairs too. Of hundreds, the right one is seldom found by chance.
        all_columns: show all metrics in the terminal, a table a group, instead of a few.
        settings: what is measured.
        workers: who does the work.
    """
    _check_replaceable(out)
    with extra("evaluate", "evaluating"):
        from thirdstream.evaluation import evaluate as evaluation
        from thirdstream.evaluation import gallery as galleries
        from thirdstream.evaluation.material import open_material
        from thirdstream.evaluation.summary import summarise
        from thirdstream.report.results import read_results

    material = open_material(corpus, recordings)
    evaluation.models_of(settings)  # that their files are there
    entries = evaluation.entries_of(models, material)
    for terms in dict.fromkeys(registry.load(one.model).terms for one in entries if one.model):
        if terms:
            say(terms)
    jobs = evaluation.plan(material, entries, settings)
    others = galleries.find(gallery, material)
    outcomes, costs = _measured(entries, jobs, others, settings, work_of(out), workers)
    results = summarise(outcomes, costs, material, entries, settings)
    write_json(out, results)
    _print_results(read_results(out), all_columns)
    tell(f"the results are in {out}")
    if results["skipped"]:
        raise Failed(f"{len(results['skipped'])} recordings could not be measured; see above")


def _check_replaceable(out: Path) -> None:
    """Raise ThirdstreamError where something else than results would be replaced."""
    before = read_json(out, kind="results file; choose another --out") if out.exists() else None
    if out.exists() and not (isinstance(before, dict) and "scores" in before):
        raise ThirdstreamError(f"{out}: exists and holds no results; choose another --out")


def _measured(
    entries: "list[Entry]",
    jobs: "list[Job]",
    others: "list[Item]",
    settings: Evaluation,
    work: Path,
    workers: Workers,
) -> "tuple[list[Outcome], dict[str, Cost]]":
    """All recordings, the gallery's others, then what each model costs, with a bar."""
    from thirdstream.evaluation import evaluate as evaluation
    from thirdstream.evaluation import gallery as galleries

    outcomes, costs = [], {}
    timed = [one for one in entries if one.model and not one.options]
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=len(jobs) + len(others) + len(timed))
        with workers.ready() as n_jobs:
            rows = evaluation.run(jobs, settings, work, n_jobs=n_jobs)
            for one in chain(rows, galleries.run(others, settings, work, n_jobs=n_jobs)):
                bar.advance(task)
                outcomes.append(one)
        for entry in timed:
            costs[entry.name] = evaluation.measured_cost(entry, jobs[0], work)
            bar.advance(task)
    return outcomes, costs


def _print_results(results: "Results", all_columns: bool = False) -> None:
    """A table a direction of a few columns, or some a group of all, and what each column is."""
    from thirdstream.report import columns

    styles = columns.by_classifier(results)
    tables = [("", columns.metrics_of(results)), (": style by classifier", styles)]
    if all_columns:
        tables = [(f": {group}", shown) for group, shown in columns.tables_of_all(results)]
    for direction in results.directions():
        for group, shown in tables:
            if shown:
                title = f"{direction.replace('_', ' ')}{group}"
                OUT.print(_table(title, results, direction, shown))
    tell("Means, with 95 % intervals over pieces; n recordings.")
    if results.gallery:
        tell(f"Cover retrieval: one of {results.gallery} recordings.")
    tell(columns.BOUNDS)
    for line in (columns.all_definitions if all_columns else columns.definitions)(results):
        tell(line)
    for reason, names in results.not_measured().items():
        say(f"left out {names}: {reason}")
    for one in results.skipped:
        complain(f"skipped {one.reason}")


def _table(title: str, results: "Results", direction: str, shown: Mapping[str, str]) -> Table:
    """Systems by columns; shown: column -> metric."""
    from thirdstream.report import columns

    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("system", overflow="fold")
    for column in ("n", *shown):
        table.add_column(column, no_wrap=" " not in column, overflow="fold")
    bounds = columns.bounds(results, direction, shown.values())
    for system, scores in (*results.of(direction).items(), *bounds):
        found = [scores.get(metric) for metric in shown.values()]
        cells = (f"{columns.mean(one)}\n{_range(columns.interval(one))}" for one in found)
        table.add_row(system, columns.n_recordings(scores), *map(str.strip, cells))
    return table


def _range(ends: tuple[str, ...]) -> str:
    """`0.12-0.78`, but `-52 to -48`: a minus after a hyphen cannot be read."""
    return (" to " if any(end.startswith("-") for end in ends) else "-").join(ends)


@writes_file
def report(
    results: tuple[Path, ...],
    /,
    *,
    out: Path,
    test: Path = Path("listening-test"),
    force: bool = False,
) -> None:
    """Make one page of the results of `evaluate`, or of the answers to a listening test.

    Example: thirdstream report results.json --out report.html

    The page opens offline. Of results it has tables, picture and players; of answers the means of
    each system with 95 % intervals, and how many listeners there were.

    Args:
        results: one file that `thirdstream evaluate` wrote, its .work folder still beside it; or
            files of answers that listeners saved, one or many.
        out: file for the page; one that ends in .md gets the tables alone, as Markdown.
        test: of answers, the folder that `thirdstream listen-test` made.
        force: replace a page that exists.
    """
    from thirdstream.listening.answers import is_answers

    if len(results) == 0:
        raise ThirdstreamError("nothing to report; give a results file, or files of answers")
    check_free(out, force=force)
    if any(is_answers(path) for path in results):
        _report_answers(results, test, out)
    elif len(results) > 1:
        raise ThirdstreamError(
            f"{results[1]}: is one results file too many; a report is of one, so give it alone"
        )
    else:
        from thirdstream.report import page

        page.write(results[0], out)
    tell(f"the page is {out}")


def _report_answers(paths: Sequence[Path], test: Path, out: Path) -> None:
    """Write their page, and show the means of all recordings here."""
    from thirdstream.listening import report as listening

    summary = listening.read(paths, test)
    listening.write(summary, out)
    first = listening.tables(summary)[0]
    table = Table("", *first.columns, title=f"listeners: {summary.n_listeners}")
    for name, cells in first.rows:
        table.add_row(name, *(" ".join(filter(None, cell)) for cell in cells))
    OUT.print(table)
