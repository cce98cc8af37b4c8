"""The wing of the notes: score -> the same piece arranged in a style -> sound.

Conventions: time is counted in quarter notes ("beats") from the first bar line, pitches are MIDI
numbers (60 is middle C), pitch classes 0-11 from C.
"""
