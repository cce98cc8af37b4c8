"""Pieces in many metres, whose beats are known: drawn ones, and tunes of music21's corpus.

    for piece in drawn(200, seed=0): ...
    for piece in tunes(100, seed=0): ...

A drawn piece has bars of two to seven beats, each of two or three parts, straight or swung; a tune
of rhythms that come again; and accompaniments of many kinds: chords on beats or between them,
broken chords, a bass that walks, drums. Tunes are those of Ryan's Mammoth Collection, O'Neill's
and Aird's with one time signature, alone or accompanied. Notes are in beats.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from thirdstream.notes.types import Note, Song, Track

SECONDS = 40.0  # that a piece lasts about
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)
TEMPI = {  # beats a minute, by beats a bar and parts of a beat
    (2, 2): (56, 170), (3, 2): (58, 230), (4, 2): (52, 230), (5, 2): (80, 230), (7, 2): (90, 240),
    (2, 3): (34, 150), (3, 3): (36, 140), (4, 3): (34, 140),
}  # fmt: skip
SHARES = {  # how many of the drawn pieces
    (2, 2): 2, (3, 2): 4, (4, 2): 6, (5, 2): 4, (7, 2): 2, (2, 3): 6, (3, 3): 3, (4, 3): 3,
}  # fmt: skip
SWING, TRIPLETS, SOLO, DRUMS = 0.35, 0.2, 0.3, 0.3  # shares: of pieces in four, in four; of all
SWUNG = (0.58, 0.7)  # where swung off-beats lie
SLOW = (44, 110)  # beats a minute of slow swing
TUNE_CELLS = {  # where notes begin in one beat; "-" is a beat without one
    2: {"0": 4, "0 2": 4, "0 3": 2, "0 1 2 3": 1.5, "0 2 3": 1, "0 1 2": 0.7, "2": 0.8, "-": 1.2},
    3: {"0": 4, "0 2": 4, "0 1 2": 5, "0 1": 0.8, "0 3/2 2": 0.7, "2": 0.5, "1 2": 0.4, "-": 1.2},
}
CLASHING = {2: 3, 3: 2}  # parts that a beat has now and then
LEADS = (73, 40, 68, 71, 66, 65, 56, 0, 0, 42, 69, 72, 24, 26, 57, 41)
CHORDS = (0, 0, 0, 24, 26, 48, 4, 6, 11, 46, 19)
BASSES = (32, 32, 43, 42, 0, 58, 70)
SOLOISTS = {40: (55, 91), 41: (48, 84), 42: (36, 72), 73: (60, 93), 68: (58, 88), 71: (52, 88),
            24: (40, 79), 0: (40, 86), 6: (36, 84), 72: (74, 96), 66: (50, 80)}  # fmt: skip
KICK, SNARE, HAT, PEDAL, RIDE = 36, 38, 42, 44, 51
TESTED = {  # rhythms of the chords in benchmarks/metres.py, in parts of the bar: none learns them
    (5, 2): (0, 3, 6, 8), (2, 3): (0, 2, 3, 5),
}  # fmt: skip
COLLECTIONS = ("ryansMammoth", "oneills1850", "airdsAirs")  # the Essen songs are not free
SIGNATURES = {  # beats, parts of one, and its length in quarter notes
    "2/4": (2, 2, 1.0), "3/4": (3, 2, 1.0), "4/4": (4, 2, 1.0), "2/2": (4, 2, 1.0),
    "3/8": (3, 2, 0.5), "6/8": (2, 3, 1.5), "9/8": (3, 3, 1.5), "12/8": (4, 3, 1.5),
    "5/4": (5, 2, 1.0), "7/4": (7, 2, 1.0),
}  # fmt: skip
MOST_FILES = 3  # of a collection with many tunes a file


class Piece(NamedTuple):
    """A song in beats: its tempo is beats a minute. first: the beat of its first bar line."""

    name: str
    song: Song
    beats_per_bar: int
    parts: int
    n_beats: int
    is_solo: bool
    first: int = 0

    @property
    def is_compound(self) -> bool:
        return self.parts == 3


class Frame(NamedTuple):
    """What the parts of an accompaniment have in common: the chord of each bar as pitch classes,
    the root first."""

    beats: int
    parts: int
    chords: Sequence[Sequence[int]]
    swing: float

    def at(self, bar: int, step: float) -> float:
        """The beat at which so many parts of the bar have gone by."""
        beat, part = divmod(step, self.parts)
        phase = part / self.parts
        if self.swing != 0.5:
            s = self.swing
            phase = 2 * s * phase if phase < 0.5 else s + (2 * phase - 1) * (1 - s)
        return bar * self.beats + beat + phase


def pick(rng: random.Random, shares: dict[Any, float]) -> Any:
    return rng.choices(list(shares), list(shares.values()))[0]


def near(pitch_class: int, lowest: int) -> int:
    """The lowest pitch of this class that is not lower."""
    return lowest + (pitch_class - lowest) % 12


# --- the parts ----------------------------------------------------------------------------------


def harmony(rng: random.Random, n_bars: int) -> tuple[list[list[int]], list[int]]:
    """A chord a bar, as four or eight bars that come again, and the scale."""
    tonic, scale = rng.randrange(12), rng.choice((MAJOR, MAJOR, MINOR))
    period = rng.choice((2, 4, 4, 8, 8))
    degrees = [rng.choices(range(7), (5, 2, 1, 4, 4, 3, 0.2))[0] for _ in range(period)]
    degrees[0] = 0
    seventh = rng.random() < 0.4
    steps = (0, 2, 4, 6) if seventh else (0, 2, 4)
    chords = [[(tonic + scale[(d + s) % 7]) % 12 for s in steps] for d in degrees]
    found = [chords[bar % period] for bar in range(n_bars)]
    return found, [(tonic + step) % 12 for step in scale]


def cells(rng: random.Random, parts: int, beats: int) -> list[list[float]]:
    """A few rhythms of a bar, in parts of it: where notes begin."""
    liked = {cell: share * rng.gammavariate(1, 1) for cell, share in TUNE_CELLS[parts].items()}
    clash = rng.choice((0, 0, 0, 0.08))
    found = []
    for _ in range(rng.choice((1, 2, 3, 4))):
        bar: list[float] = []
        for beat in range(beats):
            if rng.random() < clash:
                n = CLASHING[parts]
                bar += [beat * parts + parts * k / n for k in range(n)]
                continue
            cell = pick(rng, liked)
            for text in () if cell == "-" else cell.split():
                top, _, bottom = text.partition("/")
                step = float(top) / float(bottom or 1)
                # in beats of two, steps are quarters of one
                bar.append(beat * parts + (step / 2 if parts == 2 else step))
        found.append(bar or [0.0])
    return found


def melody(rng: random.Random, frame: Frame, scale: list[int], lowest: int, highest: int):
    """A tune of rhythms that come again, of the chord's notes on beats, through the scale."""
    rhythms = cells(rng, frame.parts, frame.beats)
    order = [rng.randrange(len(rhythms)) for _ in range(4)]
    loud, accent, share = rng.uniform(75, 105), rng.uniform(0, 14), rng.uniform(0.75, 1)
    starts = [
        (frame.at(bar, step), bar, step)
        for bar in range(len(frame.chords))
        for step in rhythms[order[bar % 4]]
    ]
    pitch, found = (lowest + highest) // 2, []
    ends = [*(start for start, *_ in starts[1:]), frame.beats * len(frame.chords)]
    for (start, bar, step), end in zip(starts, ends, strict=True):
        on = step % frame.parts == 0
        among = frame.chords[bar] if on and rng.random() < 0.75 else scale
        near_by = [p for p in range(lowest, highest) if p % 12 in among]
        pitch = min(near_by, key=lambda p: abs(p - pitch) + rng.uniform(0, 5) + 2 * (p == pitch))
        velocity = loud + accent * (step == 0) + accent / 2 * on + rng.gauss(0, 4)
        found.append((start, share * min(end - start, 4), pitch, velocity))
    return found


def bass(rng: random.Random, frame: Frame):
    """On bar lines, on some beats, on all, or in a rhythm of its own."""
    n = frame.beats * frame.parts
    kind = rng.choice(("line", "line", "beats", "walk", "rhythm", "halves"))
    places = {
        "line": [0],
        "beats": [frame.parts * k for k in range(frame.beats) if k == 0 or rng.random() < 0.6],
        "walk": [frame.parts * k for k in range(frame.beats)],
        "rhythm": rhythm(rng, frame, rng.uniform(0.2, 0.5)),
        "halves": [0, frame.parts * ((frame.beats + 1) // 2)] if frame.beats > 2 else [0],
    }[kind]
    steps = [rng.choice((0, 0, 2, 1)) if k else 0 for k in range(len(places))]
    share, loud = rng.uniform(0.5, 1), rng.uniform(75, 100)
    for bar, chord in enumerate(frame.chords):
        for k, (step, end) in enumerate(zip(places, [*places[1:], n], strict=True)):
            start = frame.at(bar, step)
            root = chord[steps[k]] if kind != "walk" or k == 0 else rng.choice(chord)
            length = share * (frame.at(bar, end) - start)
            yield start, length, near(root, 31), loud + 5 * (k == 0) + rng.gauss(0, 3)


def rhythm(rng: random.Random, frame: Frame, share: float) -> list[int]:
    """Parts of a bar, the first among them mostly; beats are likelier than what lies between."""
    n = frame.beats * frame.parts
    while True:
        of = [k for k in range(n)
              if rng.random() < (share * 1.3 if k % frame.parts == 0 else share)]  # fmt: skip
        if rng.random() < 0.8 and 0 not in of:
            of = [0, *of]
        if of and tuple(of) != TESTED.get((frame.beats, frame.parts)):
            return of


def block(rng: random.Random, frame: Frame):
    """Chords: held, on beats, after the bass, off the beat, or in a rhythm of their own."""
    n, parts = frame.beats * frame.parts, frame.parts
    places = {
        "held": [0],
        "beats": [parts * k for k in range(frame.beats)],
        "after": [k for k in range(n) if k % parts == 0 and k] or [parts],
        "last parts": [k for k in range(n) if k % parts == parts - 1],
        "after each": [k for k in range(n) if k % parts],
        "rhythm": rhythm(rng, frame, rng.uniform(0.25, 0.6)),
        "syncopated": rhythm(rng, frame, rng.uniform(0.3, 0.5)),
    }
    kind = rng.choice(list(places))
    length, loud, low = rng.uniform(0.3, 1), rng.uniform(55, 80), rng.randint(48, 57)
    for bar, chord in enumerate(frame.chords):
        of = places[kind]
        for step, end in zip(of, [*of[1:], n], strict=True):
            start = frame.at(bar, step)
            for tone in chord:
                yield start, length * (frame.at(bar, end) - start), near(tone, low), loud


def broken(rng: random.Random, frame: Frame):
    """Broken chords on every part of the bar, in a figure of a beat or of a bar."""
    n = frame.beats * frame.parts
    fine = 2 if frame.parts == 2 and rng.random() < 0.35 else 1  # sixteenths
    size = rng.choice((frame.parts, n)) * fine
    figure = [rng.randrange(5) for _ in range(size)]
    if rng.random() < 0.6:
        figure = [(0, 1, 2, 3, 2, 1)[k % 6] if size % 3 == 0 else (0, 2, 1, 2)[k % 4]
                  for k in range(size)]  # fmt: skip
    figure[0] = 0
    low, loud, length = rng.randint(40, 52), rng.uniform(55, 80), rng.choice((0.9, 1.5, 2.5))
    for bar, chord in enumerate(frame.chords):
        root = near(chord[0], low)
        ladder = [
            root,
            *(near(tone, root) for tone in chord[1:3]),
            root + 12,
            near(chord[1], root + 12),
        ]
        for k in range(n * fine):
            start = frame.at(bar, k / fine)
            yield (
                start,
                length / (frame.parts * fine),
                ladder[figure[k % size]],
                loud + 8 * (k == 0),
            )


def drums(rng: random.Random, frame: Frame):
    """A kit: cymbals on parts or beats, the bass drum and the snare on beats."""
    n, parts, loud = frame.beats * frame.parts, frame.parts, rng.uniform(60, 90)
    ride = frame.swing != 0.5 or rng.random() < 0.3
    if ride and parts == 2:  # the jazz pattern
        cymbal = [k for k in range(n) if k % 2 == 0 or (k // 2) % 2 == 1]
    else:
        cymbal = list(range(n)) if rng.random() < 0.7 else list(range(0, n, parts))
    snare = [k * parts for k in range(frame.beats) if k % 2] if rng.random() < 0.7 else []
    kick = [0] if rng.random() < 0.5 else [0, *rhythm(rng, frame, 0.15)]
    layers = (
        (RIDE if ride else HAT, cymbal, 0),
        (PEDAL if ride else SNARE, snare, 12),
        (KICK, kick, 15),
    )
    for bar in range(len(frame.chords)):
        for pitch, places, more in layers:
            for step in places:
                yield frame.at(bar, step), 0.1, pitch, loud + more


def running(rng: random.Random, frame: Frame, scale: list[int], lowest: int, highest: int):
    """A line as of a solo sonata: figures of a beat or of a bar that move through chords and
    scales, now and then a low note or a chord on a bar line, a long note, or a dotted rhythm."""
    fine = frame.parts * rng.choice((1, 1, 2) if frame.parts == 2 else (1, 1, 1, 2))
    size = fine * rng.choice((1, 1, 2, frame.beats))
    figure = [0, *(rng.choice((-3, -2, -1, -1, 1, 1, 2, 3)) for _ in range(size - 1))]
    long, low, double = rng.choice((0, 0.05, 0.3)), rng.random() < 0.4, rng.choice((0, 0, 0.3, 0.7))
    dotted = frame.parts == 2 and rng.random() < 0.2
    loud, accent, place, tones = rng.uniform(70, 95), rng.uniform(0, 10), 0, frame.beats * fine
    for bar, chord in enumerate(frame.chords):
        among = chord if rng.random() < 0.5 else scale
        ladder = [p for p in range(lowest, highest) if p % 12 in among]
        place = min(max(place, 2), len(ladder) - 3)
        number = 0
        while number < tones:
            if number % size == 0:
                place = min(max(place + rng.choice((-2, -1, 0, 1, 2)), 1), len(ladder) - 2)
            beat, part = divmod(number, fine)
            n = fine if part == 0 and rng.random() < long else 1
            at = 0.75 if dotted and part == fine // 2 else part / fine
            place = min(max(place + figure[number % size], 0), len(ladder) - 1)
            pitch = near(chord[0], lowest) if low and number == 0 else ladder[place]
            velocity = loud + accent * (part == 0) + accent * (number == 0) + rng.gauss(0, 4)
            start = bar * frame.beats + beat + at
            yield start, 0.9 * n / fine, pitch, velocity
            if number == 0 and rng.random() < double:
                for tone in chord[: rng.choice((1, 2, 3))]:
                    yield start, 0.9 / fine, near(tone, lowest), velocity
            number += n


# --- pieces -------------------------------------------------------------------------------------


def track(rng: random.Random, name: str, program: int, notes: Any, late: float) -> Track:
    """An instrument, whose players are not quite together; late: beats."""
    played = []
    for start, length, pitch, velocity in notes:
        at = max(0.0, start + rng.gauss(0, late))
        played.append(Note(at, max(length, 0.05), int(pitch), int(min(max(velocity, 20), 120))))
    return Track(name, program, tuple(sorted(played)), is_drums=name == "drums")


def accompaniment(rng: random.Random, frame: Frame, late: float) -> list[Track]:
    """One to three instruments below a tune."""
    kinds = rng.choice((
        (block,), (broken,), (block, bass), (broken, bass), (block, bass), (block, broken, bass),
        (bass,), (block, block, bass),
    ))  # fmt: skip
    found = [
        track(
            rng,
            kind.__name__,
            rng.choice(BASSES if kind is bass else CHORDS),
            kind(rng, frame),
            late,
        )
        for kind in kinds
    ]
    if rng.random() < DRUMS or frame.swing != 0.5:
        found.append(track(rng, "drums", 0, drums(rng, frame), late))
    return found


def drawn(n: int, *, seed: int, slow_swing: bool = False) -> Iterator[Piece]:
    """So many pieces of our own; slow_swing: in four, swung, and slow."""
    for number in range(n):
        rng, name = random.Random(f"metre {seed} {number}"), f"drawn-{seed}-{number}"
        yield drawn_one(rng, name, slow_swing=slow_swing)


def drawn_one(rng: random.Random, name: str, *, slow_swing: bool) -> Piece:
    beats, parts = (4, 2) if slow_swing else pick(rng, SHARES)
    tempo = math.exp(rng.uniform(*map(math.log, TEMPI[beats, parts])))
    swing, solo = 0.5, rng.random() < SOLO
    if parts == 2 and beats in (3, 4, 5) and not solo and rng.random() < SWING:
        swing, tempo = rng.uniform(*SWUNG), rng.uniform(80, 330 if beats == 4 else 240)
    if slow_swing:
        swing, tempo, solo = rng.uniform(*SWUNG), rng.uniform(*SLOW), False
    n_bars = max(4, round(SECONDS * tempo / 60 / beats))
    chords, scale = harmony(rng, n_bars)
    frame = Frame(beats, parts, chords, swing)
    late = rng.uniform(0, 0.012) * tempo / 60
    if solo:
        program = rng.choice([*SOLOISTS, 40, 40, 40])
        lowest, highest = SOLOISTS[program]
        if rng.random() < 0.65:
            notes = list(running(rng, frame, scale, lowest, highest))
        else:
            notes = melody(rng, frame, scale, lowest, highest)
        tracks = [track(rng, "solo", program, notes, late)]
    else:
        tune = melody(rng, frame, scale, 62, 86)
        tracks = [track(rng, "tune", rng.choice(LEADS), tune, late)]
        if (
            parts == 2
            and swing == 0.5
            and beats in (2, 4)
            and rng.random() < TRIPLETS
            and tempo < 130
        ):
            frame = frame._replace(parts=3)  # triplets below a tune of halves
        tracks += accompaniment(rng, frame, late)
    return Piece(name, Song(tuple(tracks), tempo), beats, parts, n_bars * beats, solo)


# --- tunes --------------------------------------------------------------------------------------


class Tune(NamedTuple):
    """A line in quarter notes: start, length, pitch. first: the first bar line."""

    name: str
    signature: str
    notes: list[tuple[float, float, int]]
    first: float


def read(stream: Any, name: str) -> Tune | None:
    """A melody in one metre that SIGNATURES has, whose whole bars are where they should be."""
    signs = {sign.ratioString for sign in stream.recurse().getElementsByClass("TimeSignature")}
    if len(signs) != 1 or not signs <= set(SIGNATURES):
        return None
    (sign,) = signs
    beats, _, beat = SIGNATURES[sign]
    bar = beats * beat
    measures = list(stream.recurse().getElementsByClass("Measure"))
    whole = [m.offset for m in measures if abs(float(m.duration.quarterLength) - bar) < 1e-3]
    if len(whole) < 4 or len({round(float(at) % bar, 3) for at in whole}) != 1:
        return None
    notes = [
        (float(n.offset), float(n.quarterLength), n.pitches[-1].midi)
        for n in stream.flatten().notes
        if n.pitches and n.quarterLength > 0
    ]
    return Tune(name, sign, notes, float(whole[0])) if len(notes) > 12 else None


@lru_cache
def every_tune(seed: int, most: int) -> list[Tune]:
    """Of the collections, in a random order."""
    from music21 import converter, corpus  # it is slow to import

    rng, found = random.Random(seed), []
    paths = [Path(p) for p in corpus.getCorePaths()]
    for name in COLLECTIONS:
        files = sorted(p for p in paths if p.parent.name == name)
        files = rng.sample(files, min(len(files), most if name == COLLECTIONS[0] else MOST_FILES))
        for path in files:
            stream = converter.parse(path, forceSource=True, storePickle=False)
            scores = stream.scores if hasattr(stream, "scores") else [stream]
            for number, one in enumerate(scores):
                tune = read(one, f"{name}-{path.stem}-{number}")
                if tune is not None:
                    found.append(tune)
    rng.shuffle(found)
    return found


def tunes(n: int, *, seed: int) -> Iterator[Piece]:
    """So many tunes, of each time signature as many if there are; four in ten are accompanied."""
    by_sign: dict[str, list[Tune]] = {}
    for tune in every_tune(seed, n):
        by_sign.setdefault(tune.signature, []).append(tune)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*by_sign.values()))
    for tune in itertools.islice((one for one in turns if one is not None), n):
        yield set_tune(tune, random.Random(f"tune {seed} {tune.name}"))


def set_tune(tune: Tune, rng: random.Random) -> Piece:
    beats, parts, beat = SIGNATURES[tune.signature]
    solo = rng.random() < 0.6
    tempo = math.exp(rng.uniform(*map(math.log, TEMPI[beats, parts])))
    n_a_beat = len(tune.notes) * beat / max(s + d for s, d, _ in tune.notes)
    tempo = min(tempo, 60 * 9 / max(n_a_beat, 1))  # nobody plays more than nine notes a second
    bar = beats * beat
    lead = -tune.first % bar  # beats of the first bar that are silent
    end = max(start + length for start, length, _ in tune.notes)
    n_bars = max(4, round(SECONDS * tempo / 60 / beats))
    period = bar * max(1, round((end - tune.first) / bar))
    notes = [
        (turn * period + lead + start, length, pitch)
        for turn in range(int(n_bars * bar // period) + 1)
        for start, length, pitch in tune.notes
        if (turn == 0 or start >= tune.first) and start < tune.first + period
    ]
    notes = [one for one in notes if one[0] < n_bars * bar]
    program = rng.choice([*SOLOISTS, 40, 40, 40]) if solo else rng.choice(LEADS)
    lowest = SOLOISTS.get(program, (60, 90))[0]
    up = rng.randint(-5, 5)
    while min(p for *_, p in notes) + up < lowest:
        up += 12
    loud, accent, share = rng.uniform(70, 100), rng.uniform(0, 12), rng.uniform(0.75, 1)
    line = []
    for start, length, pitch in notes:
        velocity = loud + accent * (start % bar < 1e-6) + accent / 2 * (start % beat < 1e-6)
        velocity += rng.gauss(0, 4)
        line.append((start / beat, share * length / beat, pitch + up, velocity))
    late = rng.uniform(0, 0.012) * tempo / 60
    tracks = [track(rng, "tune", program, line, late)]
    if not solo:
        chords = harmonised(line, beats, n_bars)
        frame = Frame(beats, parts, chords, 0.5)
        tracks += accompaniment(rng, frame, late)
    return Piece(tune.name, Song(tuple(tracks), tempo), beats, parts, n_bars * beats, solo)


def harmonised(line: list[Any], beats: int, n_bars: int) -> list[list[int]]:
    """The triad of the scale that has most of each bar's notes, the one before if it is as good."""
    sums = [[0.0] * 12 for _ in range(n_bars)]
    for start, length, pitch, _ in line:
        sums[min(int(start // beats), n_bars - 1)][pitch % 12] += length
    whole = [sum(one[p] for one in sums) for p in range(12)]
    tonic = max(range(12), key=lambda t: sum(whole[(t + s) % 12] for s in MAJOR) + 0.3 * whole[t])
    triads = [[(tonic + MAJOR[(d + s) % 7]) % 12 for s in (0, 2, 4)] for d in range(6)]
    found: list[list[int]] = []
    for one in sums:
        best = max(triads, key=lambda t: sum(one[p] for p in t) + 0.1 * (found[-1:] == [t]))
        found.append(best)
    return found
