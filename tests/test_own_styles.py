"""Recordings in styles of one's own, their judges, and what learned styles make of mishearings."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from test_cover import transcribed
from thirdstream.evaluation.metrics import Notes
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.rendering import ORCHESTRA
from thirdstream.notes.rendering.soundfont import opened
from thirdstream.notes.styles import instrument
from thirdstream.notes.styles.learned import (
    Bar,
    LearnedStyle,
    Player,
    Role,
    Source,
    write_learned,
)
from thirdstream.notes.types import Chord, Note, Score

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
import own_styles
from style_judges import Judge, statistics

STYLES = own_styles.read_styles()
UNSEEN = ["swing", "disco", "dixieland", "film-score", "cumbia", "folk-ballad"]  # only tested on
NEWEST = [
    "polka", "celtic", "synth-pop", "surf", "salsa", "choir",
    "funk", "bolero", "ska", "trio-sonata", "brass-band", "blues-shuffle", *UNSEEN,
]  # fmt: skip
WITHOUT_DRUMS = {"celtic", "choir", "trio-sonata", "brass-band", "film-score", "folk-ballad"}
WITH_FOUR_TEXTURES = {"trio-sonata", "brass-band", "film-score", "folk-ballad"}
C_MAJOR, G_SEVENTH = (0, (0, 4, 7)), (7, (0, 4, 7, 10))


def score(n_bars: int = 8) -> Score:
    """C major and G7 by turns, four beats each, with a melody on every beat."""
    kinds = [(C_MAJOR, G_SEVENTH)[bar % 2] for bar in range(n_bars)]
    chords = tuple(Chord(4.0 * bar, 4.0, root, intervals, root)
                   for bar, (root, intervals) in enumerate(kinds))  # fmt: skip
    melody = tuple(Note(float(beat), 1.0, 72 + beat % 5) for beat in range(4 * n_bars))
    return Score("tune", melody, chords)


def every_bar(
    style: own_styles.OwnStyle,
) -> list[tuple[own_styles.Player, int, list[own_styles.Stroke]]]:
    """Who plays it, the beats it has, and its strokes; fills too."""
    by_name = {player.name: player for player in style.players}
    return [
        (by_name[name], texture.beats, bar)
        for texture in style.textures
        for bars in (texture.bars, {name: [bar] for name, bar in texture.fill.items()})
        for name, some in bars.items()
        for bar in some
    ]


def test_there_are_styles_that_nothing_was_tuned_on() -> None:
    names = [style.name for style in STYLES]
    assert len(STYLES) == len(set(names)) == 32
    assert [name for name in names if name not in own_styles.TUNED] == UNSEEN
    assert len(set(own_styles.TUNED)) == len(own_styles.TUNED) == 26


def test_instruments_of_all_that_count_as_tuning_are_in_the_orchestra() -> None:
    presets = opened(ORCHESTRA).presets
    for style in own_styles.chosen(own_styles.TUNED):
        assert not {program for program in style.programs if (0, program) not in presets}


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_the_data_has_bars_for_every_part_which_can_play_them(style: own_styles.OwnStyle) -> None:
    """A chord that comes early may ring into the next bar, for less than half a beat."""
    assert 0 < style.tempo[0] < style.tempo[1] and style.range[1] - style.range[0] >= 12
    assert style.lead and all(0 <= program < 128 for program in style.programs)
    assert style.room in ("classical", "jazz") and style.suits(score())
    assert sum(texture.beats == 4 for texture in style.textures) >= 2
    for texture in style.textures:
        assert set(texture.bars) == {player.name for player in style.players}
        assert set(texture.fill) <= set(texture.bars)
        assert all(1 <= len(bars) <= 2 for bars in texture.bars.values())
    for player in style.players:
        lowest, highest = player.range
        assert player.drums or 0 <= lowest <= highest - 11 <= 116
        assert 0 < player.last < 128
    for player, beats, bar in every_bar(style):
        assert len({(one.at, one.what) for one in bar}) == len(bar) > 0
        for one in bar:
            assert 0 <= one.at < beats and 0 < one.velocity < 128
            assert 0 < one.length < beats + 0.5 - one.at
            if player.drums:
                assert one.what in own_styles.DRUMS
            else:
                assert one.what in set("BR3578>N") | set("CO1234"[: 2 + player.voices])


@pytest.mark.parametrize("name", NEWEST)
def test_bars_of_the_newest_styles_alternate_and_have_fills(name: str) -> None:
    (style,) = own_styles.chosen([name])
    assert len(style.textures) == 3 + (name in WITH_FOUR_TEXTURES)
    assert all(texture.fill for texture in style.textures)
    assert all(any(len(bars) == 2 for bars in texture.bars.values()) for texture in style.textures)
    assert any(player.drums for player in style.players) == (name not in WITHOUT_DRUMS)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_what_accompanies_keeps_to_the_chords_and_the_ranges(style: own_styles.OwnStyle) -> None:
    """But for notes that lead to the next chord. The same arguments give the same notes."""
    calm = replace(style, jitter_ms=0.0)
    made = own_styles.arranged(score(), calm, seconds=60.0, seed="a")
    assert own_styles.arranged(score(), calm, seconds=60.0, seed="a") == made
    moved = next(k for k in range(-4, 5) if made.song.tracks[0].notes[0].pitch % 12 == k % 12)
    harmony = score().transposed(moved)
    by_name = {track.name: track.notes for track in made.song.tracks}
    assert all(style.range[0] <= n.pitch <= style.range[1] for n in by_name["lead"])
    for player in style.players:
        if player.drums:
            continue
        notes = by_name[player.name]
        chords = [harmony.chord_at(note.start + 0.01).pitch_classes for note in notes]
        foreign = [n for n, chord in zip(notes, chords, strict=True) if n.pitch % 12 not in chord]
        assert len(foreign) <= 0.2 * len(notes)
        assert player.voices == 1 or not foreign
        coming = [harmony.chord_at(n.start + n.length + 0.3).bass for n in foreign]
        assert all((bass - n.pitch) % 12 in (0, 1)
                   for n, bass in zip(foreign, coming, strict=True))  # fmt: skip
        lowest, highest = player.range
        assert all(lowest <= n.pitch <= highest for n in notes)


def test_styles_are_chosen_by_name_and_the_unknown_is_refused() -> None:
    assert own_styles.chosen([]) == STYLES
    assert [style.name for style in own_styles.chosen(["march", "reggae"])] == ["march", "reggae"]
    with pytest.raises(ThirdstreamError, match="has no style yodel; it has country"):
        own_styles.chosen(["march", "yodel"])


def test_a_soundfont_without_a_styles_instruments_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = own_styles.chosen(["bluegrass", "march"])
    own_styles.check_instruments(wanted, [ORCHESTRA])
    kept = {(0, program): "" for program in range(128) if program not in (25, 105)}
    monkeypatch.setattr(own_styles, "opened", lambda path: SimpleNamespace(presets=kept))
    own_styles.check_instruments(wanted[1:], [ORCHESTRA])
    with pytest.raises(ThirdstreamError, match="lacks General MIDI programs: 25, 105 of bluegrass"):
        own_styles.check_instruments(wanted, [ORCHESTRA])


def test_what_is_planned_of_a_style_depends_on_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sheets = {name: [tmp_path / f"{name} {k}.mxl" for k in range(9)]
              for name in ("learn", "judge", "tuning", "test")}  # fmt: skip
    monkeypatch.setattr(own_styles, "sheets_of", lambda scores: sheets)
    monkeypatch.setattr(own_styles, "read_score", lambda path, repeats: score())
    numbers = {"learn": 3, "judge": 3, "test": 3}

    def plan(styles: list[own_styles.OwnStyle]) -> list[tuple[str, str, Path]]:
        rows = own_styles.planned(tmp_path, numbers, styles)
        return [(of_set, style.name, path) for of_set, style, path, _ in rows]

    every = plan(STYLES)
    assert len(every) == len(STYLES) * 9
    for style in STYLES:
        assert plan([style]) == [one for one in every if one[1] == style.name]
        tests = {path.stem.split()[0] for of_set, _, path in plan([style]) if of_set == "test"}
        assert tests == {"tuning" if style.name in ("country", "music-box") else "test"}


def test_no_title_is_in_two_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever versions of it there are."""
    listed = [piece for piece in own_styles.pieces() if piece.edition == 1]
    places = {piece: tmp_path / f"{piece.name}.mxl" for piece in listed}
    monkeypatch.setattr(own_styles, "find_pieces", lambda folders, wanted: places)
    sheets = own_styles.sheets_of(tmp_path)
    titles = Counter(own_styles.title_of(path) for some in sheets.values() for path in some)
    assert set(sheets) == {"learn", "judge", "tuning", "test"} and max(titles.values()) == 1
    splits = {piece.name: piece.split for piece in listed}
    assert {splits[path.stem] for path in sheets["test"]} == {"test"}
    assert {splits[path.stem] for path in sheets["learn"] + sheets["judge"]} == {"train"}


def test_a_judge_goes_by_the_nearest_of_recordings_in_any_units() -> None:
    rng = np.random.default_rng(0)
    middles = {"a": (0.0, 0.0), "b": (4.0, 0.0), "c": (0.0, 4000.0)}
    rows, styles = [], []
    for name, middle in middles.items():
        for _ in range(8):
            rows.append([middle[0] + rng.normal(), middle[1] + 1000 * rng.normal()])
            styles.append(name)
    judge = Judge.of(rows, styles)
    assert [judge.style(np.array(middle)) for middle in middles.values()] == list("abc")


def test_statistics_of_notes_have_closed_forms() -> None:
    """Shares sum to 1, and doubling all notes changes the density alone."""
    wave = np.random.default_rng(0).normal(size=44_100).astype(np.float32) / 10
    intervals, pitches = np.array([[0.0, 0.5], [0.3, 0.7], [0.6, 0.9]]), np.array([40.0, 60.0, 72])
    one = statistics(wave, 44_100, Notes(intervals, pitches))
    assert one[:8].sum() == pytest.approx(1)
    assert one[8:11] == pytest.approx(np.log1p([1, 1, 1]))
    two = statistics(wave, 44_100, Notes(np.tile(intervals, (2, 1)), np.tile(pitches, 2)))
    assert two[:8] == pytest.approx(one[:8])
    assert two[8:11] == pytest.approx(np.log1p([2, 2, 2]))


def learned(*bands: dict[Role, int]) -> LearnedStyle:
    """A style of recordings whose players are given as programs; each has four bars in C."""
    names: tuple[Role, ...] = ("melody", "bass", "harmony", "drums")
    sources, bars = [], []
    for number, programs in enumerate(bands):
        roles = [role for role in names if role in programs]
        ranges = {"melody": (72, 84), "bass": (36, 43), "harmony": (55, 64), "drums": (36, 42)}
        players = tuple(Player(role=role, program=programs[role], velocity=80,
                               lowest=ranges[role][0], highest=ranges[role][1])
                        for role in roles)  # fmt: skip
        sources.append(Source(name=f"recording {number}", beats_per_bar=4, tempo=100.0,
                              players=players))  # fmt: skip
        notes = {k: ((0.0, 1.0, ranges[role][0], 80), (2.0, 1.0, ranges[role][0], 80))
                 for k, role in enumerate(roles) if role != "melody"}  # fmt: skip
        bars += [Bar(recording=number, number=k, length=4, last=k == 3, energy=k / 3,
                     chords=((0.0, 0, (0, 4, 7), 0),), notes=notes) for k in range(4)]  # fmt: skip
    return LearnedStyle(name="own", recordings=tuple(sources), bars=tuple(bars))


def names_of(style: LearnedStyle, folder: Path, **options: str) -> list[set[str]]:
    """Who plays in covers by several seeds."""
    path = folder / "own.style"
    write_learned(path, style)
    piece = transcribed("classical", 4)
    return [
        {track.name for track in cover(piece, replace(asked, seed=seed)).song.tracks if track.notes}
        for seed in range(6)
        for asked in (ArrangementOptions(str(path), **options),)
    ]


USUAL: dict[Role, int] = {"melody": 40, "bass": 32, "harmony": 24}


def test_drums_of_few_recordings_were_misheard_and_a_band_plays_as_the_file_says(
    tmp_path: Path,
) -> None:
    odd: dict[Role, int] = {"melody": 40, "bass": 70, "harmony": 6, "drums": 0}
    style = learned(*[USUAL] * 4, odd)
    bands = [{instrument(one).name for one in programs} for programs in ((40, 32, 24), (40, 70, 6))]
    assert all(any(names <= band for band in bands) for names in names_of(style, tmp_path))
    asked = names_of(style, tmp_path, ensemble="recording 4")
    assert any(instrument(6).name in names for names in asked)


def test_where_most_have_drums_bars_with_drums_play(tmp_path: Path) -> None:
    style = learned(*[USUAL] * 2, *[USUAL | {"drums": 0}] * 3)
    assert all("drums" in names for names in names_of(style, tmp_path))


def test_a_melody_lies_where_the_styles_melodies_lie(tmp_path: Path) -> None:
    path = tmp_path / "own.style"
    write_learned(path, learned(USUAL, USUAL))
    piece = transcribed("classical", 4)
    low = replace(piece, score=piece.score.transposed(-24))
    pitches = [
        note.pitch
        for one in (piece, low)
        for track in cover(one, ArrangementOptions(str(path))).song.tracks
        if track.name == instrument(40).name
        for note in track.notes
    ]
    assert pitches and min(pitches) >= 69


@pytest.mark.parametrize("program", [19, 43, 58])
def test_low_instruments_play_low(program: int, tmp_path: Path) -> None:
    """A pedal, a bowed double bass and a tuba reach down to where they lay in the recordings."""
    path = tmp_path / "own.style"
    write_learned(path, learned(USUAL | {"bass": program}))
    song = cover(transcribed("classical", 4), ArrangementOptions(str(path))).song
    pitches = [n.pitch for track in song.tracks if track.program == program for n in track.notes]
    assert pitches and min(pitches) < 48


def test_every_program_is_an_instrument_of_its_own() -> None:
    every = [instrument(program) for program in range(128)]
    assert [one.program for one in every] == list(range(128))
    assert len({one.name for one in every}) == 128
