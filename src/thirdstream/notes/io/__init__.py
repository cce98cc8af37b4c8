"""Scores in files: MusicXML and MIDI, read and written."""
