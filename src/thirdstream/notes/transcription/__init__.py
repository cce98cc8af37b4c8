"""Recording -> notes, beats, metre, chords and melody."""
