"""Recordings in styles that are not bundled, from lead sheets:

    python recipes/own_styles.py SCORES OUT --learn-fonts A --judge-fonts B C --test-fonts A \\
        [--styles STYLE ...]

SCORES: OpenEWLD's lead sheets (Simonetta 2018), as of the benchmark. The accompaniments are data:
own_styles.toml. OUT/learn/STYLE/*.flac are to learn a style from, OUT/judge/STYLE/*.flac to train a
judge of styles, OUT/test/STYLE/*.flac to be transferred. No title is in two of these sets, and none
of `test` was in the training of any bundled model. Soundfonts: by turns, by default the bundled
one, which may lack instruments of a style; a judge whose recordings sound through others cannot
tell styles by a soundfont's traces. OUT/own_styles.json has each recording's melody. A recording
does not depend on which other styles are made.

Two styles were for tuning from the start. Twenty-four more were made to be tested on only, but
after results of theirs were seen learning was changed or the bundled soundfont was extended. So
they count as tuning since. The others are only tested on: TUNED has the names.
"""

import json
import random
import re
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro
from tqdm import tqdm

from thirdstream import audio
from thirdstream.data.benchmark import find_pieces, pieces
from thirdstream.files import ThirdstreamError, make_folder, write_json
from thirdstream.notes.arranging.arrangement import Arrangement, track
from thirdstream.notes.arranging.lines import folded, into_range, midi_velocity, nearest
from thirdstream.notes.io.score import read_score
from thirdstream.notes.rendering import ORCHESTRA, draw_scene, render
from thirdstream.notes.rendering.soundfont import opened
from thirdstream.notes.styles.entries import Instrument
from thirdstream.notes.system import within
from thirdstream.notes.types import Chord, Note, Score, Song

STYLES = Path(__file__).with_suffix(".toml")
MANIFEST = "own_styles.json"
SETS = ("learn", "judge", "test")
FOR_TUNING = ("country", "music-box")  # from the start; their tests are other titles
SEEN = (  # to be tested on once
    "ragtime", "march", "tango", "bossa-nova", "chorale", "continuo",
    "reggae", "klezmer", "bluegrass", "mariachi", "string-quartet", "gospel",
    "polka", "celtic", "synth-pop", "surf", "salsa", "choir",
    "funk", "bolero", "ska", "trio-sonata", "brass-band", "blues-shuffle",
)  # fmt: skip
TUNED = FOR_TUNING + SEEN  # learning or its instruments were changed after results of all these
SECONDS = {"learn": 45.0, "judge": 25.0, "test": 22.0}
DRUMS = {"K": 36, "S": 38, "X": 37, "H": 42, "P": 44, "O": 46, "R": 51, "C": 49, "T": 45,
         "floor": 41, "clap": 39, "claves": 75, "bell": 56, "maracas": 70, "guiro": 73, "slap": 62,
         "conga": 63, "tumba": 64, "timbale": 65, "low-timbale": 66,
         "bongo": 60, "low-bongo": 61, "tambourine": 54, "block": 76}  # fmt: skip
PHRASE = 4  # bars of one texture; a fill ends two of them
LEAD_VELOCITY, SPREAD = 92, 4.0  # MIDI velocities; of the latter a standard deviation


@dataclass(frozen=True)
class Stroke:
    """As the data has it: place and length in beats."""

    at: float
    what: str
    length: float
    velocity: int


@dataclass(frozen=True)
class Player:
    """A part of the accompaniment."""

    name: str
    program: int = 0
    range: tuple[int, int] = (0, 127)
    voices: int = 1
    last: int = 80  # velocity of the last bar
    drums: bool = False


@dataclass(frozen=True)
class Texture:
    """What each part plays, by its name, in turn; and what ends a phrase."""

    beats: int
    bars: dict[str, list[list[Stroke]]]
    fill: dict[str, list[Stroke]]


@dataclass(frozen=True)
class OwnStyle:
    """A style of own_styles.toml."""

    name: str
    tempo: tuple[float, float]
    lead: list[int]
    range: tuple[int, int]
    jitter_ms: float
    room: str
    players: list[Player]
    textures: list[Texture]

    @property
    def programs(self) -> set[int]:
        """Of all who play, but for drums."""
        return {one.program for one in self.players if not one.drums} | set(self.lead)

    def suits(self, score: Score) -> bool:
        """Whether it has bars of the score's metre."""
        return score.metres.is_plain and len(score.metres.changes) == 1 and any(
            texture.beats == score.beats_per_bar for texture in self.textures
        )  # fmt: skip


def strokes(text: str) -> list[Stroke]:
    """A bar of the data."""
    words = (stroke.split() for stroke in text.split(","))
    return [Stroke(float(at), what, float(length), int(velocity))
            for at, what, length, velocity in words]  # fmt: skip


def read_styles() -> list[OwnStyle]:
    """All styles of the data, in order."""
    return [_style(name, entry) for name, entry in tomllib.loads(STYLES.read_text()).items()]


def _style(name: str, entry: dict[str, Any]) -> OwnStyle:
    players = [Player(name=key, **value) for key, value in entry.pop("parts").items()]
    textures = []
    for one in entry.pop("textures"):
        fill = {part: strokes(bar) for part, bar in one.pop("fill", {}).items()}
        beats = one.pop("beats")
        bars = {part: [strokes(bar) for bar in some] for part, some in one.items()}
        textures.append(Texture(beats, bars, fill))
    return OwnStyle(name=name, players=players, textures=textures, **entry)


@dataclass
class _Band:
    """Players at work on a score: their chords are led from one to the next."""

    style: OwnStyle
    score: Score
    rng: random.Random
    middles: dict[str, float] = field(default_factory=dict)
    notes: dict[str, list[Note]] = field(default_factory=dict)

    def play(self, beats_per_minute: float) -> None:
        beats, n_bars = round(self.score.beats_per_bar), self.score.n_bars
        able = [one for one in self.style.textures if one.beats == beats]
        texture = able[0]
        for bar in range(n_bars):
            if bar % PHRASE == 0:
                texture = self.rng.choice(able)
            is_filled = bar % (2 * PHRASE) == 2 * PHRASE - 1
            for player in self.style.players:
                turns = texture.bars[player.name]
                played = turns[bar % len(turns)]
                if bar == n_bars - 1:
                    played = _ending(player, beats)
                elif is_filled:
                    played = texture.fill.get(player.name, played)
                for one in played:
                    self._strike(player, one, bar * beats, beats_per_minute)

    def _strike(self, player: Player, stroke: Stroke, bar: int, beats_per_minute: float) -> None:
        late = self.rng.gauss(0, self.style.jitter_ms / 1000) * beats_per_minute / 60
        velocity = midi_velocity(stroke.velocity + self.rng.gauss(0, SPREAD))
        self.notes.setdefault(player.name, []).extend(
            Note(max(bar + stroke.at + late, 0.0), stroke.length, pitch, velocity)
            for pitch in self._pitches(player, stroke, bar + stroke.at)
        )

    def _pitches(self, player: Player, stroke: Stroke, at: float) -> list[int]:
        if player.drums:
            return [DRUMS[stroke.what]]
        chord = self.score.chord_at(at + 0.01)
        if stroke.what in "C1234O":
            voicing = self._voicing(player, chord)
            if stroke.what == "C":
                return voicing
            if stroke.what == "O":
                return [folded(voicing[-1] + 12, *player.range)]
            return [voicing[min(int(stroke.what), len(voicing)) - 1]]
        coming = self.score.chord_at(at + stroke.length + 0.3)
        return [_bass(stroke.what, chord, coming, player.range)]

    def _voicing(self, player: Player, chord: Chord) -> list[int]:
        """The chord's notes next to each other, near those before, its third among them."""
        able = [p for p in range(player.range[0], player.range[1] + 1)
                if p % 12 in chord.pitch_classes]  # fmt: skip
        near = self.middles.setdefault(player.name, sum(player.range) / 2)
        third = (chord.root + (chord.third or 0)) % 12

        def cost(notes: Sequence[int]) -> float:
            missing = third not in {pitch % 12 for pitch in notes}
            return abs(sum(notes) / len(notes) - near) + 3 * missing

        n = min(player.voices, len(able))
        voicing = min((able[k : k + n] for k in range(len(able) - n + 1)), key=cost)
        self.middles[player.name] = sum(voicing) / n
        return voicing


def _bass(what: str, chord: Chord, coming: Chord, among: tuple[int, int]) -> int:
    lowest, highest = among
    root = lowest + (chord.root - lowest) % 12
    above = {"R": 0, "3": chord.third or 4, "5": chord.fifth, "7": chord.seventh or 12, "8": 12}
    if what in above:
        return folded(root + above[what], lowest, highest)
    pitch_class = {"B": chord.bass, "N": coming.bass, ">": (coming.bass - 1) % 12}[what]
    return nearest(pitch_class, root + (0 if what == "B" else 7), lowest, highest)


def _ending(player: Player, beats: int) -> list[Stroke]:
    """The last bar, which rings."""
    if player.drums:
        return strokes("0 K .3 88")
    return [Stroke(0.0, "C" if player.voices > 1 else "R", float(beats), player.last)]


def arranged(score: Score, style: OwnStyle, *, seconds: float, seed: str) -> Arrangement:
    """So much of a score in a style, in a key, at a tempo and by a soloist that are drawn.

    The melody is the first track. The same arguments give the same notes.
    """
    rng = random.Random(seed)
    tempo = round(rng.uniform(*style.tempo), 1)
    n_bars = min(int(seconds * tempo / 60 / score.beats_per_bar), score.n_bars)
    score = within(score, n_bars * score.beats_per_bar).transposed(rng.randint(-4, 4))
    band = _Band(style, score, rng)
    band.play(tempo)
    jitter = style.jitter_ms / 1000 * tempo / 60
    melody = [
        Note(max(note.start + rng.gauss(0, jitter), 0.0), 0.95 * note.length, note.pitch,
             midi_velocity(LEAD_VELOCITY + 4 * (note.start % 1 == 0) + rng.gauss(0, SPREAD)))
        for note in into_range(score.melody, *style.range)
    ]  # fmt: skip
    lead = Instrument("lead", rng.choice(style.lead), 0, 127)
    tracks = [track(lead, melody, score.n_beats)]
    for player in style.players:
        kind = Instrument(player.name, player.program, 0, 127)
        notes = band.notes.get(player.name, [])
        tracks.append(track(kind, notes, score.n_beats, is_drums=player.drums))
    song = Song(tuple(tracks), tempo, score.metres)
    return Arrangement(style.name, style.name, "own", song, n_bars)


def title_of(path: Path) -> str:
    """A lead sheet's title: NAME-2 is another version of NAME."""
    return re.sub(r"(-2)+$", "", path.stem)


def sheets_of(scores: Path) -> dict[str, list[Path]]:
    """Lead sheets by set, one a title, those of "tuning" among them."""
    found: dict[str, dict[str, Path]] = {}
    first = [piece for piece in pieces() if piece.edition == 1]
    for piece, path in find_pieces([scores], first).items():
        title = title_of(path)
        half = SETS[zlib.crc32(title.encode()) % 2]
        name = {"train": half, "validation": "tuning", "test": "test"}[piece.split]
        found.setdefault(name, {}).setdefault(title, path)
    return {name: sorted(titles.values()) for name, titles in found.items()}


def chosen(names: Sequence[str]) -> list[OwnStyle]:
    """The styles of these names, in their order; all of the data without names.

    Raises ThirdstreamError where there is no such style.
    """
    known = {style.name: style for style in read_styles()}
    if unknown := [name for name in names if name not in known]:
        raise ThirdstreamError(
            f"{STYLES.name} has no style {', '.join(unknown)}; it has {', '.join(known)}"
        )
    return [known[name] for name in dict.fromkeys(names or known)]


def check_instruments(styles: Sequence[OwnStyle], fonts: Iterable[Path]) -> None:
    """Raises ThirdstreamError where a soundfont lacks an instrument: another would play."""
    for font in dict.fromkeys(fonts):
        presets = opened(font).presets
        lacking = {
            style.name: missing
            for style in styles
            if (missing := sorted(p for p in style.programs if (0, p) not in presets))
        }
        if lacking:
            listed = "; ".join(f"{', '.join(map(str, some))} of {name}"
                             for name, some in lacking.items())  # fmt: skip
            raise ThirdstreamError(
                f"{font} lacks General MIDI programs: {listed}. Give soundfonts that have them, or "
                "other --styles"
            )


def planned(
    scores: Path, numbers: dict[str, int], styles: Sequence[OwnStyle]
) -> Iterator[tuple[str, OwnStyle, Path, Score]]:
    """What is to be recorded: its set, style, lead sheet and score."""
    sheets = sheets_of(scores)
    read = {path: read_score(path, repeats=False) for some in sheets.values() for path in some}
    for of_set, n in numbers.items():
        for style in styles:
            among = "tuning" if of_set == "test" and style.name in FOR_TUNING else of_set
            able = [path for path in sheets[among] if style.suits(read[path])]
            random.Random(f"{of_set} {style.name}").shuffle(able)
            for path in able[:n]:
                yield of_set, style, path, read[path]


def main(  # noqa: PLR0913  # options of the command
    scores: tyro.conf.Positional[Path],
    out: tyro.conf.Positional[Path],
    /,
    *,
    learn_fonts: tuple[Path, ...] = (ORCHESTRA,),
    judge_fonts: tuple[Path, ...] = (ORCHESTRA,),
    test_fonts: tuple[Path, ...] = (ORCHESTRA,),
    n_learn: int = 12,
    n_judge: int = 12,
    n_test: int = 6,
    styles: tuple[str, ...] = (),
) -> None:
    """Make all recordings. What is there is not made again. styles: by default all of
    own_styles.toml. OUT/own_styles.json is of these alone."""
    numbers = dict(zip(SETS, (n_learn, n_judge, n_test), strict=True))
    fonts = dict(zip(SETS, (learn_fonts, judge_fonts, test_fonts), strict=True))
    wanted = chosen(styles)
    check_instruments(wanted, [font for some in fonts.values() for font in some])
    record: dict[str, Any] = {
        "fonts": {name: [font.name for font in some] for name, some in fonts.items()}
    }
    for name, style, path, score in tqdm(list(planned(scores, numbers, wanted)), unit="recording"):
        seed = f"{name} {style.name} {path.stem}"
        made = arranged(score, style, seconds=SECONDS[name], seed=seed)
        beat_s = 60 / made.song.beats_per_minute
        melody = made.song.tracks[0].notes
        of_style = record.setdefault(name, {}).setdefault(style.name, {})
        font = fonts[name][len(of_style) % len(fonts[name])]
        of_style[path.stem] = {
            "tempo": made.song.beats_per_minute,
            "beats_per_bar": score.beats_per_bar,
            "melody": [(n.start * beat_s, n.end * beat_s, n.pitch) for n in melody],
        }
        where = out / name / style.name / f"{path.stem}.flac"
        if not where.exists():
            make_folder(where.parent)
            wave = render(made, font, draw_scene(style.room, seed=seed))
            audio.write(where, [wave[None]], sr=audio.SR, n_channels=1)
    write_json(out / MANIFEST, json.loads(json.dumps(record)))


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except ThirdstreamError as error:
        raise SystemExit(str(error)) from None
