"""Arrangement -> sound: soundfont, synthesiser, room, recording, in that order.

    wave = render(arrangement, ORCHESTRA, draw_scene("jazz", seed="7"))

The synthesiser is part of the package, and so is its soundfont: a song sounds the same wherever it
is played.
"""

from thirdstream.notes.rendering.recording import TAIL_S, render, stream
from thirdstream.notes.rendering.room import Room, Scene, draw_scene, scene_with
from thirdstream.notes.rendering.synthesiser import ORCHESTRA, VERSION, play

__all__ = [
    "ORCHESTRA",
    "TAIL_S",
    "VERSION",
    "Room",
    "Scene",
    "draw_scene",
    "play",
    "render",
    "scene_with",
    "stream",
]
