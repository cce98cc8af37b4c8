"""A recording's piece in a style: what was heard, and what the style's players make of it.

Three layers meet. The melody moves from the recording's rhythm to the style's. The accompaniment is
the style's arranger's; its notes come in by rank as the strength rises. The recording's other notes
are added where neither plays them, those first that would be missed most.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from thirdstream.notes.arranging.casting import (
    Piece,
    choose,
    contour,
    named,
    placed,
    repeats,
    soloists,
)
from thirdstream.notes.arranging.classical import (
    DOUBLE_BASSES,
    MELODY_LOWEST,
    TEXTURES,
    accompaniment,
    octave_below,
    ornamented,
    swell,
)
from thirdstream.notes.arranging.drums import drums
from thirdstream.notes.arranging.ensembles import (
    CLASSICAL,
    DOUBLINGS,
    GROOVES,
    JAZZ_GUITAR,
    PIANO,
    SAXOPHONES,
    Arrangement,
    Doubling,
    Instrument,
    folded,
    loudness,
    track,
)
from thirdstream.notes.arranging.harmony import changes, reharmonised
from thirdstream.notes.arranging.jazz import (
    DRUM_SET,
    brass,
    rhythm_section,
    saxophones,
    swing_ratio,
)
from thirdstream.notes.arranging.keeping import Starts, by_salience
from thirdstream.notes.arranging.phrasing import Feel, drawn, evened, performed, sources, swing_of
from thirdstream.notes.arranging.pulse import Pulse
from thirdstream.notes.harmonisation import harmonised
from thirdstream.notes.metre import Metres
from thirdstream.notes.types import Chord, Note, Score, Song, Track, without_gaps

SECTION_BARS = 8
FREE = 0.3  # below this share of kept content, chords are replaced too
BUSY = 150.0  # beats a minute from which figures in eighths are left out
BASS_BELOW = 50  # the highest pitch that goes to a jazz group's bass
LEAD, SECOND = 104.0, 62.0  # velocities of the melody and of added notes
# A velocity is no loudness: at the same one, a trumpet lies 10 dB and more above the drums.
JAZZ_LEAD, JAZZ_DRUMS = -10.0, 1.4
NEIGHBOURS, MOST_ACCENT = 4, 8.0  # to each side of a note; what it may stand out by
# Rank from 0 to 1 in which a part's notes come in: of those on bar lines, and how much later the
# ones off the beat are.
RANKS = {"bass": (0.1, 0.5), "harmony": (0.25, 0.6), "drums": (0.2, 0.5), "brass": (0.6, 0.35)}


@dataclass(frozen=True)
class Wish:
    """How to arrange: for whom (an ensemble or a groove; None: as suits the piece), and the shares
    of the style and of the recording's own notes, 0 to 1.
    """

    style: str
    ensemble: str | None = None
    strength: float = 1.0
    keep: float = 0.5
    seed: int = 0


@dataclass
class Player:
    """An instrument, and what it plays: the melody, the arranger's notes (in even eighths, with
    whether the recording has them too), and the recording's own.
    """

    instrument: Instrument
    role: str
    melody: list[Note] = field(default_factory=list)
    given: list[Note] = field(default_factory=list)
    added: list[Note] = field(default_factory=list)
    is_heard: list[bool] = field(default_factory=list)


def cover(piece: Piece, wish: Wish) -> Arrangement:
    """Arrange what was heard in a recording; positions stay on its beats.

    The same arguments give the same notes. Raises ThirdstreamError for an ensemble that the style
    does not have or that does not suit the metre.
    """
    rng = random.Random(f"cover {wish.style} {wish.seed}")
    score = prepared(piece)
    swing = swing_of(piece.notes) if score.metres.is_plain else 1.0
    feel = Feel(swing, 1.0, wish.strength)
    if wish.ensemble is None:
        name = choose(piece, wish.style, rng)
    else:
        name = named(wish.ensemble, wish.style, score)
    if wish.style == "jazz" and not GROOVES[name].straight and score.metres.is_plain:
        feel = replace(feel, ratio=swing_ratio(piece.beats_per_minute))
    free = max(0.0, 1 - wish.keep / FREE)
    harmony = replace(score, chords=reharmonised(score, free, style=wish.style))
    band = _jazz_band if wish.style == "jazz" else _orchestra
    doublings = DOUBLINGS.get(name, ())
    players = band(piece, score, harmony, "string orchestra" if doublings else name, feel, rng)
    _thin(players, piece, score, wish)
    _add(players, piece, score, feel, wish)
    tracks = _levelled(players, piece, score, feel, jazz=wish.style == "jazz")
    tracks += [_double(tracks, doubling, score.n_beats) for doubling in doublings]
    how = GROOVES[name].ensemble if wish.style == "jazz" else name
    groove = name if wish.style == "jazz" else "straight"
    song = Song(tuple(tracks), piece.beats_per_minute, metres=score.metres)
    return Arrangement(wish.style, how, groove, song, score.n_bars)


def prepared(piece: Piece) -> Score:
    """The score in even eighths, with chords from its first bar line to its end."""
    score = piece.score
    swing = swing_of(score.melody) if score.metres.is_plain else 1.0
    end = max([score.n_beats, *(note.start for note in piece.notes)])
    melody = []
    for note in sorted(score.melody):
        start, stop = (drawn(evened(at, swing)) for at in (note.start, note.end))
        if stop - start > 0.05:
            melody.append(replace(note, start=start, length=stop - start))
    chords: Sequence[Chord] = score.chords
    if not chords:
        chords = harmonised([sorted(piece.notes or score.melody)], score.metres, end=end)
    if inside := [chord for chord in chords if chord.start < end]:
        chords = without_gaps([replace(inside[0], start=0.0), *inside[1:]], end)
    return replace(score, melody=_one_at_a_time(melody), chords=tuple(chords), length=end)


def _one_at_a_time(melody: Sequence[Note]) -> tuple[Note, ...]:
    line: list[Note] = []
    for note in melody:
        if line and line[-1].end > note.start:
            line[-1] = replace(line[-1], length=note.start - line[-1].start)
        line.append(note)
    return tuple(note for note in line if note.length > 0.05)


def _jazz_band(
    piece: Piece, score: Score, harmony: Score, groove: str, feel: Feel, rng: random.Random
) -> list[Player]:
    """A soloist, or a section of saxophones, over a rhythm section; another soloist plays what
    comes again.
    """
    if not score.chords:
        return _solo_parts(piece, score, (PIANO,), feel, jazz=True, rng=rng)
    pulse = Pulse(harmony)
    chords = changes(pulse.score)
    if groove == "big band":
        lead = replace(score, melody=placed(score.melody, 62, SAXOPHONES[0].highest))
        line = performed(lead.melody, _origins(piece, score), feel, jazz=True, rng=rng)
        own = [replace(c, chord=chord) for c, chord
               in zip(chords, pulse.played([c.chord for c in chords]), strict=True)]  # fmt: skip
        (first, melody), *others = saxophones(line, own, score.tacet)
        players = [Player(first, "melody", melody=melody)]
        players += [Player(i, "section", melody=notes) for i, notes in others]
        answers = brass(pulse, chords, pulse.counted(lead.melody), rng)
        players += [Player(i, "brass", given=pulse.played(notes)) for i, notes in answers]
    else:
        who = soloists(score.melody, groove, rng)
        players = _solo_parts(piece, score, who, feel, jazz=True, rng=rng)
    (comper, comping), (bass, line) = rhythm_section(pulse, chords, groove, rng)
    comper = replace(comper, pan=88 if comper.name == JAZZ_GUITAR.name else 42)
    pianist = next((p for p in players if p.instrument.name == comper.name), None)
    if pianist is None:
        players.append(Player(comper, "harmony", given=pulse.played(comping)))
    else:
        pianist.given = pulse.played(comping)
    players.append(Player(bass, "bass", given=pulse.played(line)))
    kit = replace(DRUM_SET, program=GROOVES[groove].kit)
    strokes = pulse.played(drums(groove, pulse.bars, rng))
    players.append(Player(kit, "drums", given=strokes))
    return players


def _solo_parts(
    piece: Piece,
    score: Score,
    who: Sequence[Instrument],
    feel: Feel,
    *,
    jazz: bool,
    rng: random.Random,
) -> list[Player]:
    """The melody, section by section: what comes again is played by the next of `who`."""
    counts = repeats(score, n_bars=SECTION_BARS)
    line = performed(score.melody, _origins(piece, score), feel, jazz=jazz, rng=rng)
    players = {i.name: Player(i, "melody") for i in who}
    for note in line:
        section = score.metres.bar(note.start + 0.5) // SECTION_BARS
        turn = counts[min(max(section, 0), len(counts) - 1)]
        players[who[turn % len(who)].name].melody.append(note)
    for player in players.values():
        lowest = player.instrument.lowest + 2
        player.melody = list(placed(player.melody, lowest, player.instrument.highest))
    return list(players.values())


def _origins(piece: Piece, score: Score) -> list[Note | None]:
    """For each note of the score in even eighths, what was transcribed, or else the note heard."""
    heard = piece.score.melody
    swing = swing_of(heard) if score.metres.is_plain else 1.0
    own = {
        (round(drawn(evened(note.start, swing)), 3), note.pitch): source or note
        for note, source in zip(heard, sources(heard, piece.notes), strict=True)
    }
    return [own.get((round(note.start, 3), note.pitch)) for note in score.melody]


def _orchestra(
    piece: Piece, score: Score, harmony: Score, ensemble: str, feel: Feel, rng: random.Random
) -> list[Player]:
    """The melody over led voices, one texture a section, another where a section comes again."""
    instruments = CLASSICAL[ensemble]
    lead = replace(instruments[0], lowest=MELODY_LOWEST[ensemble] - 2)
    (first,) = _solo_parts(piece, score, (lead,), feel, jazz=False, rng=rng)
    first.instrument = instruments[0]
    if ensemble == "harpsichord":
        first.melody = list(ornamented(first.melody, score, rng, share=0.35 * feel.strength))
    if not score.chords:
        return [first]
    melody = placed(score.melody, lead.lowest + 2, lead.highest)
    names = _textures(score, ensemble, piece.beats_per_minute, rng)
    voices = accompaniment(harmony, melody, ensemble, rng, textures=names)
    players = [first]
    for number, (instrument, voice) in enumerate(zip(instruments[1:], voices, strict=True)):
        role = "bass" if number == len(voices) - 1 else "harmony"
        players.append(Player(instrument, role, given=list(voice)))
    if ensemble == "string orchestra":
        players.append(Player(DOUBLE_BASSES, "bass", given=octave_below(voices[-1])))
    if ensemble == "organ":
        lower = [replace(note, pitch=note.pitch - 12) for note in voices[-1]]
        players.append(Player(replace(instruments[-1], lowest=24), "bass", given=lower))
    return players


def _textures(
    score: Score, ensemble: str, beats_per_minute: float, rng: random.Random
) -> list[str]:
    """One a section of 8 bars; quick pieces leave figures in eighths out."""
    able = list(dict.fromkeys(TEXTURES[ensemble]))
    calm = [name for name in able if name not in ("pulse", "alberti", "arpeggio")]
    if beats_per_minute >= BUSY and calm:
        able = calm
    start = rng.randrange(len(able))
    counts = repeats(score, n_bars=SECTION_BARS)
    return [able[(start + count) % len(able)] for count in [*counts, 0]]


def _thin(players: Sequence[Player], piece: Piece, score: Score, wish: Wish) -> None:
    """Leave out of the arranger's notes what the strength does not reach, what gives way to the
    recording's own, and what would sound where the recording rests or has ended.
    """
    heard = Starts(piece.notes)
    rests = _rests(piece, score)
    end = max([note.end for note in (*piece.notes, *score.melody)], default=score.n_beats)
    last = max([chord.start for chord in score.chords if chord.start < end - 0.5], default=0.0)
    last = max(last, end - score.metres.metre_at(end).length)
    if piece.score.length and end > piece.score.length - 1:  # it is cut off, no ending
        last = score.n_beats
    own_share = 1 - max(0.0, wish.keep - 0.5)  # ranks beyond it give way
    for player in players:
        kept = []
        for note in player.given:
            rank = _rank(note, player.role, score.metres)
            is_heard = player.role != "drums" and heard.near(note)
            invented = not is_heard and player.role != "drums"
            if rank > wish.strength or (invented and rank > own_share):
                continue
            if score.metres.bar(note.start + 0.02) in rests or note.start > last + 0.3:
                continue
            ringing = note.start >= last - 0.05 and player.role != "drums"
            length = max(end - note.start, 0.3) if ringing else note.length
            kept.append((replace(note, length=length), is_heard))
        player.given = [note for note, _ in kept]
        player.is_heard = [is_heard for _, is_heard in kept]


def _rank(note: Note, role: str, metres: Metres) -> float:
    """When a note of the arranger comes in: bar lines first, off-beats last; below 1."""
    first, spread = RANKS.get(role, RANKS["harmony"])
    one = metres.metre_at(note.start)
    place = round(metres.within(note.start), 1) % one.length
    beats = [round(at, 1) for at in one.places]
    halves = (one.length / 2, *(beats[n] for n in accumulate(one.cells[:-1])))
    weight = 0.0 if place == 0 else 0.35 if place in halves else 0.6 if place in beats else 1.0
    tie = (note.pitch * 7 + int(note.start) * 3) % 11 / 11
    return min(first + spread * (0.8 * weight + 0.2 * tie), 0.99)


def _rests(piece: Piece, score: Score) -> set[int]:
    """Bars in which the recording plays nothing."""
    if not piece.notes:
        return set()
    sounding: set[int] = set()
    for note in (*piece.notes, *score.melody):
        first, last = score.metres.bar(note.start), score.metres.bar(note.end - 0.1)
        sounding.update(range(first, last + 1))
    return set(range(score.n_bars + 1)) - sounding


def _add(players: Sequence[Player], piece: Piece, score: Score, feel: Feel, wish: Wish) -> None:
    """Give the players notes of the recording that nobody plays, the most salient first.

    All of them where all content is kept or there is no style; where there is all style, as large a
    share as content is kept.
    """
    found = sources(piece.score.melody, piece.notes)
    used = {id(source) for source in found if source is not None}
    even = {id(note): replace(note, start=drawn(feel.even(note.start))) for note in piece.notes}
    starts = Starts([
        *(note if source is None else even[id(source)]
          for note, source in zip(piece.score.melody, found, strict=True)),
        *(note for player in players for note, is_heard
          in zip(player.given, player.is_heard, strict=True) if is_heard),
    ])  # fmt: skip
    missing = {even[id(note)]: note for note in piece.notes if id(note) not in used}
    ranked = by_salience([note for note in missing if not starts.near(note)], score)
    share = 1 - wish.strength * (1 - wish.keep)
    able = [p for p in players if p.role in ("harmony", "bass")] or list(players[:1])
    for note in sorted(ranked[: round(share * len(ranked))]):
        own = missing[note]
        start = max(feel.place(own.start, note.start), 0.0)
        player = _taker(able, note, start, wish.style)
        low, high = player.instrument.lowest, player.instrument.highest
        pitch = folded(own.pitch, low, high)
        player.added.append(Note(start, max(own.length, 0.15), pitch, own.velocity))
    for player in able:
        _give_way(player, polyphonic=player.role == "harmony" and wish.style == "jazz")


def _taker(able: Sequence[Player], note: Note, start: float, style: str) -> Player:
    """Who plays an added note: in whose range it lies, and who is free."""
    if style == "jazz":
        role = "bass" if note.pitch <= BASS_BELOW else "harmony"
        return next((p for p in able if p.role == role), able[0])

    def cost(player: Player) -> tuple[bool, bool, float]:
        i = player.instrument
        busy = bool(player.added) and player.added[-1].end > start + 0.1
        return (
            not i.lowest <= note.pitch <= i.highest,
            busy,
            abs(note.pitch - (i.lowest + i.highest) / 2),
        )

    return min(able, key=cost)


def _give_way(player: Player, *, polyphonic: bool) -> None:
    """The arranger's notes make room for added ones: a player of one line rests meanwhile, a
    pianist leaves out what would rub against them.
    """
    if not player.added:
        return
    spans = _joined(player.added)
    kept: list[Note] = []
    for note, is_heard in zip(player.given, player.is_heard, strict=True):
        if polyphonic:
            near = (n for n in player.added if abs(n.start - note.start) < 0.3)
            if is_heard or all(abs(n.pitch - note.pitch) > 2 for n in near):
                kept.append(note)
            continue
        pieces = _without(note, spans)
        kept += pieces or ([replace(note, length=min(note.length, 0.5))] if is_heard else [])
    player.given = kept


def _joined(notes: Iterable[Note]) -> list[tuple[float, float]]:
    """Where notes sound, short gaps included; in order."""
    spans: list[tuple[float, float]] = []
    for note in sorted(notes):
        if spans and note.start < spans[-1][1] + 0.5:
            spans[-1] = spans[-1][0], max(spans[-1][1], note.end)
        else:
            spans.append((note.start, note.end))
    return spans


def _without(note: Note, spans: Sequence[tuple[float, float]]) -> list[Note]:
    """What is left of a note outside of some spans, in pieces of half a beat or more."""
    pieces, at = [], note.start
    for start, end in spans:
        if end <= at:
            continue
        if start >= note.end:
            break
        if start - at >= min(0.5, note.length):
            pieces.append(replace(note, start=at, length=start - at))
        at = end
    if note.end - at >= min(0.5, note.length):
        pieces.append(replace(note, start=at, length=note.end - at))
    return pieces


def accents(melody: Sequence[Note], metres: Metres, *, jazz: bool) -> list[float]:
    """How much louder each note is than those around it: as it was heard, and as its place asks.

    Jazz stresses what is off the beat, classical music what begins a bar.
    """
    result = []
    for number, note in enumerate(melody):
        around = melody[max(0, number - NEIGHBOURS) : number + NEIGHBOURS + 1]
        mean = sum(one.velocity for one in around) / len(around)
        heard = min(max(0.6 * (note.velocity - mean), -MOST_ACCENT), MOST_ACCENT)
        place = (note.start % 1.0) if jazz else metres.within(note.start + 0.1)
        stressed = 0.25 < place < 0.75 if jazz else place < 0.2
        result.append(heard + (4.0 if stressed else 0.0))
    return result


def _levelled(
    players: Sequence[Player], piece: Piece, score: Score, feel: Feel, *, jazz: bool
) -> list[Track]:
    """The tracks, as loud as the recording is bar by bar, with the melody in front."""
    metres, n_bars = score.metres, score.n_bars + 1
    levels = contour(piece.notes or score.melody, metres, n_bars)
    middle = sorted(n.velocity for n in piece.notes)[len(piece.notes) // 2] if piece.notes else 64

    def louder(note: Note, base: float) -> Note:
        level = levels[min(max(metres.bar(note.start), 0), n_bars - 1)]
        return replace(note, velocity=loudness(max(base + min(max(0.8 * level, -24), 20), 18)))

    merged: dict[str, tuple[Player, list[Note]]] = {}
    for player in players:
        name = player.instrument.name
        notes = merged.setdefault(name, (player, []))[1]
        lead = (LEAD if player.role == "melody" else LEAD - 16) + (JAZZ_LEAD if jazz else 0)
        stronger = JAZZ_DRUMS if jazz and player.role == "drums" else 1.0
        stress = accents(player.melody, metres, jazz=jazz)
        notes += [louder(n, lead + 8 * swell(n.start, metres) - 4 + more)
                  for n, more in zip(player.melody, stress, strict=True)]  # fmt: skip
        for note in player.given:
            start, end = (feel.place(at, at) for at in (note.start, note.end))
            moved = replace(note, start=start, length=max(end - start, 0.05))
            notes.append(louder(moved, stronger * note.velocity))
        notes += [louder(n, SECOND + min(max((n.velocity - middle) * 0.5, -14), 14))
                  for n in player.added]  # fmt: skip
    return [
        track(p.instrument, notes, score.n_beats, is_drums=p.role == "drums")
        for p, notes in merged.values()
    ]


def _double(tracks: Sequence[Track], doubling: Doubling, n_beats: float) -> Track:
    """What some of the tracks play, softer and for another instrument."""
    player, softer = doubling.instrument, doubling.softer
    notes = [
        replace(note, pitch=folded(note.pitch, player.lowest, player.highest),
                velocity=loudness(note.velocity - softer))
        for part in doubling.parts
        for note in (tracks[part].notes if part < len(tracks) else ())
    ]  # fmt: skip
    return track(player, notes, n_beats)
