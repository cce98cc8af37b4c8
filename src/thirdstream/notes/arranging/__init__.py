"""Score -> Arrangement in a style: one arranger a style, over the style's data.

    setting = draw_setting(score, seed="7")
    classical = arrange(score, "classical", setting)
    jazz = arrange(score, "jazz", setting)

Both are in the setting's key and tempo, and have the same bars: they are a pair.
"""

import random
from dataclasses import dataclass

from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging.arrangement import Arrangement
from thirdstream.notes.arranging.classical import classical
from thirdstream.notes.arranging.instrumentation import suitable_grooves
from thirdstream.notes.arranging.jazz import jazz
from thirdstream.notes.arranging.pulse import Pulse
from thirdstream.notes.styles import STYLES, classical_style, jazz_style
from thirdstream.notes.types import Score

__all__ = ["STYLES", "Arrangement", "Setting", "arrange", "draw_setting"]

NOTES_PER_SECOND = 6.5  # no tempo at which the melody's quick notes come faster
SLOWEST = 60.0  # beats a minute


@dataclass(frozen=True)
class Setting:
    """What the two versions of a pair share, and what was drawn for each.

    seed: of everything else that is drawn while arranging. semitones: transposition of the score.
    ensemble: the classical one. groove: the jazz one, which decides the jazz ensemble.
    """

    seed: str
    semitones: int
    beats_per_minute: float
    ensemble: str
    groove: str


def draw_setting(score: Score, *, seed: str) -> Setting:
    """Draw key, tempo, ensemble and groove; the groove suits the metre, the tempo the melody."""
    rng = random.Random(f"setting {seed}")
    pulse, grooves = Pulse(score), jazz_style().grooves
    suitable = suitable_grooves(jazz_style(), pulse)
    groove = rng.choices(suitable, [grooves[name].weight for name in suitable])[0]
    slowest, fastest = grooves[groove].tempo
    lengths = sorted(note.length for note in score.melody)
    quick = lengths[len(lengths) // 10]
    limit = 60 * quick * NOTES_PER_SECOND
    drawn = rng.uniform(slowest, fastest) * pulse.length
    tempo = max(SLOWEST * pulse.length, min(drawn, limit))
    ensemble = rng.choice(list(classical_style().ensembles))
    return Setting(seed, rng.randint(-5, 6), round(tempo, 1), ensemble, groove)


def arrange(score: Score, style: str, setting: Setting) -> Arrangement:
    """Arrange a piece; the same score, style and setting give the same notes.

    Raises ThirdstreamError for a style, ensemble or groove there is not, or a groove in the wrong
    metre.
    """
    if style not in STYLES:
        raise ThirdstreamError(f"{style}: no such style; there are {', '.join(STYLES)}")
    ensembles, grooves = classical_style().ensembles, jazz_style().grooves
    for name, table in ((setting.ensemble, ensembles), (setting.groove, grooves)):
        if name not in table:
            raise ThirdstreamError(f"{name}: cannot be arranged for; there are {', '.join(table)}")
    if style == "jazz" and setting.groove not in suitable_grooves(jazz_style(), Pulse(score)):
        raise ThirdstreamError(
            f"{score.title}: has bars of {score.metres.usual(score.n_beats).name}, which "
            f"{setting.groove} does not; choose another groove"
        )
    rng = random.Random(f"{style} {setting.seed}")
    moved, tempo = score.transposed(setting.semitones), setting.beats_per_minute
    if style == "classical":
        ensemble = setting.ensemble
        return classical(
            moved, classical_style(), ensemble=ensemble, beats_per_minute=tempo, rng=rng
        )
    return jazz(moved, jazz_style(), groove=setting.groove, beats_per_minute=tempo, rng=rng)
