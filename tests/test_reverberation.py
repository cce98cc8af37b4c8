"""The room of a recording, as it is told from the sound alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thirdstream.audio import SR, Wave
from thirdstream.notes.learning.reverberation import (
    DECAY_S,
    N_FEATURES,
    WET,
    falls,
    reverberation_of,
)
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.rendering import ORCHESTRA, Room, Scene, draw_scene, play
from thirdstream.notes.rendering.room import HALL_S, in_room
from thirdstream.notes.styles.learned import (
    Bar,
    LearnedStyle,
    Player,
    Reverberation,
    Source,
    middle_of,
    write_learned,
)
from thirdstream.notes.system import scene_of
from thirdstream.notes.types import Note, Song, Track

N_SECONDS = 21


def music(program: int) -> Wave:
    """Two voices with rests, dry and in stereo."""
    upper = tuple(Note(k, 0.7, 64 + 5 * k % 13, 90) for k in range(40))
    lower = tuple(Note(2.0 * k, 1.5, 45 + 7 * k % 12, 80) for k in range(20))
    tracks = (Track("upper", program, upper), Track("lower", program, lower))
    return play(Song(tracks, 120.0), ORCHESTRA, N_SECONDS * SR)


def recorded(dry: Wave, decay_s: float, wet: float) -> Wave:
    scene = Scene(Room(decay_s, wet, 0.01, 5000.0), (0.0,) * 7, 3)
    wave = np.concatenate(list(in_room([dry], scene, n_channels=1)), axis=1)[0]
    return (0.1 * wave / np.sqrt(np.square(wave).mean())).astype(np.float32)


@pytest.mark.parametrize("program", [0, 24, 40, 56, 71])
def test_halls_are_told_from_studios(program: int) -> None:
    dry = music(program)
    studio = reverberation_of(recorded(dry, 0.4, 0.1))
    hall = reverberation_of(recorded(dry, 2.0, 0.5))
    assert studio.decay_s < HALL_S < hall.decay_s
    assert studio.wet < hall.wet


def test_level_does_not_matter() -> None:
    wave = recorded(music(0), 1.0, 0.3)
    assert np.allclose(falls(wave), falls(0.5 * wave), atol=0.02)


def test_a_tone_that_ends_at_once_falls_steeply_and_one_that_goes_on_does_not() -> None:
    t = np.arange(N_SECONDS * SR) / SR
    tone = 0.3 * np.sin(2 * np.pi * 440 * t).astype(np.float32)
    assert falls(tone).min() > -0.5
    rests = np.where(t % 2 < 1, tone, 0).astype(np.float32)
    steepest = falls(rests).reshape(-1, N_FEATURES // 8)[-1, 0]  # the longest lag
    assert steepest < -50


@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_silence_around_the_music_tells_nothing_of_its_room(noise: float) -> None:
    wave = recorded(music(0), 0.4, 0.1)[: 20 * SR]
    alone = reverberation_of(wave)
    rest = noise * np.random.default_rng(0).standard_normal((2, 30 * SR))
    found = reverberation_of(np.concatenate([rest[0], wave, rest[1]]).astype(np.float32))
    assert found.decay_s == pytest.approx(alone.decay_s, rel=0.3)
    assert found.wet == pytest.approx(alone.wet, rel=0.3)


@pytest.mark.parametrize("n_samples", [0, 1, 1000, SR])
def test_silence_and_scraps_give_a_room_within_limits(n_samples: int) -> None:
    found = reverberation_of(np.zeros(n_samples, np.float32))
    assert DECAY_S[0] <= found.decay_s <= DECAY_S[1]
    assert WET[0] <= found.wet <= WET[1]


def style(*rooms: Reverberation | None, drums: bool = False) -> LearnedStyle:
    player = Player(
        role="drums" if drums else "bass", program=0, velocity=80, lowest=36, highest=36
    )
    sources = tuple(
        Source(name=str(n), beats_per_bar=4, tempo=100.0, players=(player,), reverberation=room)
        for n, room in enumerate(rooms)
    )
    bar = Bar(recording=0, number=0, length=4, energy=0.5, chords=((0, 0, (0, 4, 7), 0),), notes={})
    return LearnedStyle(name="any", recordings=sources, bars=(bar,))


def scene_in(folder: Path, learned: LearnedStyle) -> Scene:
    write_learned(folder / "any.style", learned)
    return scene_of(ScoreOptions(to=str(folder / "any.style")))


def test_covers_are_played_in_the_middle_of_a_styles_rooms(tmp_path: Path) -> None:
    rooms = [Reverberation(decay_s=d, wet=w) for d, w in ((0.4, 0.1), (2.0, 0.3), (1.5, 0.5))]
    learned = style(*rooms, None)
    assert learned.reverberation == Reverberation(decay_s=1.5, wet=0.3)
    room = scene_in(tmp_path, learned).room
    assert (room.decay_s, room.wet) == (1.5, 0.3)
    drawn = draw_scene("classical", seed="0").room
    assert room == replace(drawn, decay_s=1.5, wet=0.3)


@pytest.mark.parametrize(("drums", "room"), [(True, "jazz"), (False, "classical")])
def test_of_midi_files_drums_tell_the_room(tmp_path: Path, drums: bool, room: str) -> None:
    assert scene_in(tmp_path, style(None, drums=drums)) == draw_scene(room, seed="0")


def test_the_middle_of_rooms_is_written_as_it_is_read() -> None:
    """Thousandths, not what binary fractions leave: a .style file is read and edited by hand."""
    rooms = [Reverberation(decay_s=0.55, wet=0.1), Reverberation(decay_s=0.88, wet=0.2)]
    assert middle_of(rooms) == Reverberation(decay_s=0.715, wet=0.15)
