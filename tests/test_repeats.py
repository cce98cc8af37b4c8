"""The order in which bars are played, against answers by hand and music21's expander."""

from pathlib import Path

import music21
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partwise import CHORD, note, part, read, sheet
from thirdstream.notes.io.repeats import MAX_BARS, Endless, Marks, played
from thirdstream.notes.types import ScoreError

# Bars as words of marks: |: and :| are repeats, [1 begins an ending and ] ends one.
WRITTEN = {
    "|": Marks(),
    "|:": Marks(forward=True),
    ":|": Marks(backward=2),
    ":|3": Marks(backward=3),
    ":|!": Marks(backward=2, after_jump=True),
    "[1": Marks(endings=(1,)),
    "[2": Marks(endings=(2,)),
    "[3": Marks(endings=(3,)),
    "[12": Marks(endings=(1, 2)),
    "[13": Marks(endings=(1, 3)),
    "[24": Marks(endings=(2, 4)),
    "[": Marks(endings=()),
    "]": Marks(ends=True),
    "DC": Marks(da_capo=True),
    "DS": Marks(dal_segno=""),
    "DSb": Marks(dal_segno="b"),
    "S": Marks(segno=""),
    "Sb": Marks(segno="b"),
    "Fine": Marks(fine=True),
    "To": Marks(to_coda=""),
    "Coda": Marks(coda=""),
}
ANSWERS = [
    ("| | |", "1 2 3"),
    ("| :| |", "1 2 1 2 3"),
    ("| |: :| |", "1 2 3 2 3 4"),
    ("|: :| |: :|", "1 2 1 2 3 4 3 4"),
    ("| :| | :|", "1 2 1 2 3 4 3 4"),
    ("| :|3 |", "1 2 1 2 1 2 3"),
    ("|: |: :| :| |", "1 2 3 2 3 4 1 2 3 2 3 4 5"),  # one in another
    ("|:+:|", "1 1"),
    ("| | [1+:|+] [2+] |", "1 2 3 1 2 4 5"),
    ("|: [1+]+:| [2+] |", "1 2 1 3 4"),
    ("|: | [12+:|+] [3+] |", "1 2 3 1 2 3 1 2 4 5"),
    ("|: [1+:|+] [2+:|+] [3+] |", "1 2 1 3 1 4 5"),
    ("|: [13+:|+] [24+:|+] |", "1 2 1 3 1 2 1 3 4"),
    ("|: | [1+:|+] | |", "1 2 3 1 2 4 5"),  # an ending alone
    ("|: [1+] :| [2+] |", "1 2 3 1 4 5"),  # a bracket that ends before its repeat
    ("|: [1+:|+] [1+] |", "1 2 1 3 4"),  # numbered the same
    ("|: [2+:|+] [2+] |", "1 2 1 3 4"),
    ("|: [+:|+] [+] |", "1 2 1 3 4"),
    ("|: | ]+:| [2+] |", "1 2 3 1 2 4 5"),  # an ending without a beginning
    ("|: [1 :| [2 |", "1 2 3 1 4 5"),  # brackets without an end
    ("| Fine | DC", "1 2 3 4 1 2"),
    ("| DC |", "1 2 1 2 3"),
    ("| S | Fine DS", "1 2 3 4 5 2 3 4"),
    ("| S To | DS Coda |", "1 2 3 4 5 2 3 6 7"),
    ("| To DC Coda", "1 2 3 1 2 4"),
    ("S Sb | DSb Fine |", "1 2 3 4 2 3 4 5"),
    ("S | S | DS Fine |", "1 2 3 4 5 3 4 5 6"),  # the nearest before
    ("| :| Fine DC", "1 2 1 2 3 4 1 2 3"),  # repeats are not taken again
    ("| :|! Fine DC", "1 2 1 2 3 4 1 2 1 2 3"),  # unless it is written
    ("|: [1+:|+] [2+] Fine DC", "1 2 1 3 4 5 1 3 4"),  # the last ending
    ("|: [1+:|+] [2+Fine+] | DC", "1 2 1 3 4 5 1 3"),
    ("| [1+DC+] [2+] |", "1 2 1 3 4"),
    ("|: :|+DC Fine", "1 2 1 2 1 2 3"),  # first the repeat
    ("|: | :| |: DC", "1 2 3 1 2 3 4 5 1 2 3 4 5"),
    ("| [1+] [2+] |", "1 2 3 4"),  # nothing leads back
    ("| DS |", "1 2 3"),
    ("| To DC |", "1 2 3 1 2 3 4"),
]


def bars_of(text: str) -> list[Marks]:
    bars = []
    for word in text.split():
        bar = Marks()
        for mark in word.split("+"):
            bar.add(WRITTEN[mark])
        bars.append(bar)
    return bars


@pytest.mark.parametrize(("text", "answer"), ANSWERS)
def test_the_order_of_bars(text: str, answer: str) -> None:
    order, _ = played(bars_of(text))
    assert " ".join(str(number + 1) for number in order) == answer


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("| DS |", "bar 2 goes back to a segno that is not there; it goes on"),
        ("| To DC |", "bar 2 goes to a coda that is not there; it goes on"),
        ("| [1+] |", "bar 2 begins an ending, but nothing leads back before it; it is played"),
    ],
)
def test_what_leads_nowhere_is_said(text: str, remark: str) -> None:
    assert played(bars_of(text))[1] == [remark]


@st.composite
def repeated(draw: st.DrawFn) -> list[Marks]:
    """Sections, one after the other: plain ones, repeated ones, and with two endings."""
    bars: list[Marks] = []
    for _ in range(draw(st.integers(1, 4))):
        first, n = len(bars), draw(st.integers(1, 3))
        kind = draw(st.sampled_from(["plain", "repeated", "endings"]))
        bars += [Marks() for _ in range(n)]
        if kind == "plain":
            continue
        bars[first].forward = True
        if kind == "endings":
            bars += [Marks(endings=(1,), ends=True, backward=2), Marks(endings=(2,), ends=True)]
        else:
            bars[-1].backward = 2
    return bars


def expanded(bars: list[Marks]) -> list[int]:
    """The order that music21 finds."""
    line = music21.stream.Part()
    brackets = []
    for number, bar in enumerate(bars):
        measure = music21.stream.Measure(number=number)
        measure.append(music21.note.Note(24 + number, quarterLength=4))
        if bar.forward:
            measure.leftBarline = music21.bar.Repeat(direction="start")
        if bar.backward:
            measure.rightBarline = music21.bar.Repeat(direction="end")
        if bar.endings:
            brackets.append(music21.spanner.RepeatBracket(measure, number=bar.endings[0]))
        line.append(measure)
    for bracket in brackets:
        line.insert(0, bracket)
    notes = line.expandRepeats().recurse().getElementsByClass(music21.note.Note)
    return [one.pitch.midi - 24 for one in notes]


@settings(deadline=None, max_examples=25)
@given(bars=repeated())
def test_repeats_and_endings_agree_with_music21(bars: list[Marks]) -> None:
    assert played(bars)[0] == expanded(bars)


@settings(deadline=None, max_examples=200)
@given(words=st.lists(st.lists(st.sampled_from(list(WRITTEN)), min_size=1, max_size=3), max_size=9))
def test_whatever_is_written_comes_to_an_end(words: list[list[str]]) -> None:
    bars = bars_of(" ".join("+".join(word) for word in words))
    order, _ = played(bars)
    assert order[:1] in ([], [0], *([n] for n in range(len(bars))))
    assert all(0 <= number < len(bars) for number in order)
    assert len(order) <= MAX_BARS


def test_more_than_a_piece_of_music_is_refused() -> None:
    with pytest.raises(Endless):
        played([Marks(forward=True)] * 20 + [Marks(backward=2)] * 20)
    with pytest.raises(Endless):
        played([Marks(backward=9999), Marks(backward=9999), Marks(backward=9999)])


# --- in a score ---------------------------------------------------------------------------------

RIGHT = '<barline location="right">{}</barline>'
LEFT = '<barline location="left">{}</barline>'
SAYS = "<direction><direction-type>{}</direction-type>{}</direction>"


def song(marks: dict[int, str]) -> str:
    """Eight bars of two half notes, of pitches 60, 61, 62 and so on; what stands before and behind
    the notes of some, with a tilde between."""
    bars = []
    for number in range(8):
        before, _, behind = marks.get(number + 1, "").partition("~")
        bars.append(before + CHORD + note(60 + number, 2) + note(60 + number, 2) + behind)
    return part(bars)


WORDS = {
    "D.C. al Fine": ("1 2 3 4 5 6 7 8 1 2 3", {3: "~<words>Fine</words>",
                                               8: "~<words>D.C. al Fine</words>"}),
    "Da Capo": ("1 2 3 4 5 6 7 8 1 2 3", {3: "~<words>FINE</words>", 8: "~<words>Da Capo</words>"}),
    "D.S. al Coda": ("1 2 3 4 5 6 2 3 4 7 8",
                     {2: "<segno/>~", 4: "~<words>To Coda</words>",
                      6: "~<words>D.S. al Coda</words>", 7: "<coda/>~"}),
    "signs alone": ("1 2 3 4 5 6 2 3 4 7 8",
                    {2: "<segno/>~", 4: "~<coda/>", 6: "~<words>Dal Segno al Coda</words>",
                     7: "<coda/>~"}),
    "sign and words": ("1 2 3 4 5 6 1 2 3 4 7 8",
                       {4: "~<words>To Coda</words><coda/>", 6: "~<words>D.C. al Coda</words>",
                        7: "<words>Coda</words>~"}),
}  # fmt: skip


@pytest.mark.parametrize("marked", [(True,), (True, True), (True, False), (False, True)])
@pytest.mark.parametrize("name", list(WORDS))
def test_words_and_signs(name: str, marked: tuple[bool, ...], tmp_path: Path) -> None:
    """Of several parts, all or some say them."""
    order, marks = WORDS[name]
    said = {bar: "~".join(SAYS.format(one, "") if one else "" for one in text.split("~"))
            for bar, text in marks.items()}  # fmt: skip
    score = read(sheet(*(song(said if one else {}) for one in marked)), tmp_path)
    assert [n.pitch - 59 for n in score.melody[::2]] == [int(n) for n in order.split()]
    assert score.n_bars == len(order.split())
    assert [n.start for n in score.melody] == [2.0 * k for k in range(len(score.melody))]


SOUNDS = [
    ("1 2 3 4 5 6 7 8 1 2 3", {3: '~<sound fine="yes"/>', 8: '~<sound dacapo="yes"/>'}),
    ("1 2 3 4 5 6 2 3 4 7 8", {2: '<sound segno="x"/>~', 4: '~<sound tocoda="y"/>',
                               6: '~<sound dalsegno="x"/>', 7: '<sound coda="y"/>~'}),
]  # fmt: skip


@pytest.mark.parametrize(("order", "marks"), SOUNDS)
@pytest.mark.parametrize("inside", [True, False])
def test_sounds(order: str, marks: dict[int, str], inside: bool, tmp_path: Path) -> None:
    """In a direction, or directly in the bar; in the last part only."""
    if inside:
        marks = {bar: "~".join(SAYS.format("<words>x</words>", one) if one else ""
                               for one in text.split("~"))
                 for bar, text in marks.items()}  # fmt: skip
    score = read(sheet(song({}), song(marks)), tmp_path)
    assert [n.pitch - 59 for n in score.melody[::2]] == [int(n) for n in order.split()]


def test_endings_of_a_score(tmp_path: Path) -> None:
    first = '<ending number="1" type="{}"/>'
    second = '<ending number="2" type="{}"/>'
    marks = {
        1: LEFT.format('<repeat direction="forward"/>') + "~",
        4: LEFT.format(first.format("start"))
        + "~"
        + RIGHT.format(first.format("stop") + '<repeat direction="backward"/>'),
        5: LEFT.format(second.format("start")) + "~" + RIGHT.format(second.format("discontinue")),
    }
    score = read(sheet(song(marks)), tmp_path)
    assert [n.pitch - 59 for n in score.melody[::2]] == [1, 2, 3, 4, 1, 2, 3, 5, 6, 7, 8]
    assert score.n_bars == 11
    assert score.remarks == ()


def test_a_pickup_that_comes_again_fills_the_last_bar(tmp_path: Path) -> None:
    """One quarter before the first bar line, three in the bar before the repeat."""
    bars = [note(60), *["".join(note(62 + k) for k in range(4))] * 3]
    bars.append("".join(note(67 + k) for k in range(3)))
    bars[1] = CHORD + bars[1]
    bars[-1] += RIGHT.format('<repeat direction="backward"/>')
    score = read(sheet(part(bars)), tmp_path)
    assert score.pickup == 1.0
    assert [one.name for _, one in score.metres.changes] == ["4/4"]
    assert [n.start for n in score.melody] == [3.0 + k for k in range(32)]
    assert [n.start for n in score.melody if n.pitch == 60] == [3.0, 19.0]


def test_a_tie_leads_into_the_ending_that_is_played(tmp_path: Path) -> None:
    held = note(72, 4, before="", more='<notations><tied type="start"/></notations>')
    bars = [CHORD + "".join(note(60 + k) for k in range(4)), held]
    for number in (1, 2):
        ending = f'<ending number="{number}" type="{{}}"/>'
        back = '<repeat direction="backward"/>' if number == 1 else ""
        bars.append(
            LEFT.format(ending.format("start"))
            + note(72, 2, more='<notations><tied type="stop"/></notations>')
            + note(64 + number, 2)
            + RIGHT.format(ending.format("stop") + back)
        )
    score = read(sheet(part(bars)), tmp_path)
    assert [(n.start, n.length) for n in score.melody if n.pitch == 72] == [(4.0, 6.0), (16.0, 6.0)]


@pytest.mark.parametrize("times", ["9999", "99999999999"])
def test_repeats_without_an_end_are_refused(times: str, tmp_path: Path) -> None:
    back = RIGHT.format(f'<repeat direction="backward" times="{times}"/>')
    bars = ["".join(note(60 + k) for k in range(4)) + back] * 9
    if len(times) > 4:  # no number of times: twice
        assert read(sheet(part(bars)), tmp_path).n_bars == 18
    else:
        with pytest.raises(ScoreError, match="longer than a piece of music, with its repeats"):
            read(sheet(part(bars)), tmp_path)
