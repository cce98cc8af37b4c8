"""The answers to a listening test as a page that opens offline, or as Markdown."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from thirdstream.files import ThirdstreamError, write_text
from thirdstream.listening.answers import Answers, read_answers
from thirdstream.listening.design import HIDDEN, QUESTIONS, Key, read_key
from thirdstream.listening.page import PACKAGE
from thirdstream.listening.summary import (
    Estimate,
    Preference,
    doubtful,
    means,
    preferences,
    unit_of,
)
from thirdstream.report.html import render
from thirdstream.report.plots import COLOURS, INK, STYLE, WIDTH, svg
from thirdstream.shown import shown

ROW, HEAD, NAMES = 40, 72, 200  # of the picture, SVG units
LONGEST = 27  # letters of a name in it


class Table(NamedTuple):
    """rows: cells by row, each its text and a smaller one."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]


class Summary(NamedTuple):
    """All that a page says, of one test and those who answered."""

    key: Key
    answers: Sequence[Answers]
    doubtful: Sequence[str]
    unit: str

    @property
    def n_listeners(self) -> int:
        """Who answered a screen or more."""
        return sum(bool(one.screens) for one in self.answers)

    @property
    def n_screens(self) -> tuple[int, int]:
        """Answered, and asked."""
        return (
            sum(len(one.screens) for one in self.answers),
            sum(one.n_screens for one in self.answers),
        )

    @property
    def playback(self) -> dict[str, int]:
        """How many listened with what."""
        return dict(Counter(one.playback for one in self.answers if one.screens))


def read(paths: Sequence[Path], test: Path) -> Summary:
    """Answers and the key in the folder `test`. Raises ThirdstreamError as these do."""
    key = read_key(test)
    answers = read_answers(paths, key)
    return Summary(key, answers, doubtful(key, answers), unit_of(answers))


def write(summary: Summary, out: Path) -> None:
    """Write the page, or to an .md file its tables, whole or not at all.

    Raises ThirdstreamError if `out` has another ending.
    """
    if out.suffix.lower() not in (".html", ".htm", ".md"):
        raise ThirdstreamError(f"{out}: cannot write '{out.suffix}'; end the name in .html or .md")
    is_rating = summary.key.mode == "rating"
    made = {"summary": summary, "tables": tables(summary), "questions": QUESTIONS}
    if out.suffix.lower() == ".md":
        text = str(render("answers.md", package=PACKAGE, **made)) + "\n"
    else:
        made |= {"picture": plot(summary) if is_rating else ""}
        text = str(render("answers.html", package=PACKAGE, **made))
    write_text(out, text)


def tables(summary: Summary) -> list[Table]:
    """Of all recordings, of each direction where there are two, and of whom post-screening leaves.

    The last is there where it leaves some out, and not all.
    """
    key, answers = summary.key, summary.answers
    made = table if key.mode == "rating" else comparisons
    found = [made(key, answers, "All recordings", None)]
    if len(key.directions()) > 1:
        found += [made(key, answers, f"{style} to {to}".capitalize(), (style, to))
                  for style, to in key.directions()]  # fmt: skip
    left = [one for one in answers if one.listener not in summary.doubtful]
    if summary.doubtful and any(one.screens for one in left):
        found.append(made(key, left, "All recordings, after post-screening", None))
    return [one for one in found if one.rows]


def table(
    key: Key, answers: Sequence[Answers], title: str, direction: tuple[str, str] | None
) -> Table:
    """Systems by questions: means, intervals, and how many ratings."""
    rows = [
        (system, [_cell(by_question[name]) for name in QUESTIONS]
         + [(str(next(iter(by_question.values())).n_answers), "")])
        for system, by_question in means(key, answers, direction).items()
    ]  # fmt: skip
    return Table(title, [*(one.about for one in QUESTIONS.values()), "ratings"], rows)


def _cell(found: Estimate) -> tuple[str, str]:
    interval = "" if found.low is None else f"[{found.low:.0f}, {found.high:.0f}]"
    return f"{found.mean:.0f}", interval


def comparisons(
    key: Key, answers: Sequence[Answers], title: str, direction: tuple[str, str] | None
) -> Table:
    """Pairs and questions: how many prefer which, and the share of the first."""
    columns = ["question", "first", "neither", "second", "share of the first"]
    rows = [(f"{one.first} / {one.second}", _counts(one))
            for one in preferences(key, answers, direction)]  # fmt: skip
    return Table(title, columns, rows)


def _counts(one: Preference) -> list[tuple[str, str]]:
    counts = [(str(n), "") for n in (one.n_first, one.n_neither, one.n_second)]
    share = ("", "")
    if one.share is not None:
        share = f"{one.share:.2f}", f"[{one.low:.2f}, {one.high:.2f}]"
    return [(QUESTIONS[one.question].about, ""), *counts, share]


def _short(name: str) -> str:
    """A name that the picture has room for."""
    text = shown(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


@rc_context(STYLE)
def plot(summary: Summary) -> Markup:
    """Means and intervals of all recordings, a row a system, a colour a question."""
    found = means(summary.key, summary.answers)
    height = HEAD + 40 + ROW * len(found)
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_subplot()
    figure.subplots_adjust(left=NAMES / WIDTH, right=1 - 24 / WIDTH, bottom=40 / height,
                           top=1 - HEAD / height)  # fmt: skip
    for shift, (name, question) in enumerate(QUESTIONS.items()):
        for row, scores in enumerate(found.values()):
            one, y = scores[name], row + 0.25 * (shift - 1)
            if one.low is not None and one.high is not None:
                axes.plot((one.low, one.high), (y, y), color=COLOURS[shift])
            axes.plot(one.mean, y, "o", color=COLOURS[shift], ms=7, clip_on=False,
                      label=question.about if row == 0 else None)  # fmt: skip
    axes.set(xlim=(0, 100), ylim=(len(found) - 0.5, -0.5), xticks=(0, 25, 50, 75, 100))
    axes.set_yticks(range(len(found)), [_short(name) for name in found])
    for row, name in enumerate(found):
        axes.axhspan(row - 0.5, row + 0.5, color=INK, alpha=0.06 if name in HIDDEN else 0, lw=0)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(-0.5, 1), fontsize=11)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{scores[q].mean:.0f}" for q in QUESTIONS)
        for name, scores in found.items()
    )
    return svg(figure, f"Mean ratings of {', '.join(QUESTIONS)}. {said}")
