"""Piano rolls as inline SVG: notes over time, one panel above the other."""

import itertools
from collections.abc import Mapping

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from thirdstream.report.plots import COLOURS, STYLE, WIDTH, svg
from thirdstream.shown import shown
from thirdstream.system import Notes

PANEL_HEIGHT = 170  # SVG units


@rc_context(STYLE)
def piano_roll(stages: Mapping[str, Mapping[str, Notes]], *, duration_s: float) -> Markup:
    """Notes by stage and part, as `Notation.notes` gives them; each part has its colour.

    duration_s: of the recording, where the picture ends.
    """
    size = (WIDTH / 72, PANEL_HEIGHT * len(stages) / 72)
    figure = Figure(figsize=size, dpi=72, layout="constrained")
    panels = figure.subplots(len(stages), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (stage, parts) in zip(panels, stages.items(), strict=True):
        heard = {part: notes[notes[:, 0] < duration_s] for part, notes in parts.items()}
        sounding = {part: notes for part, notes in heard.items() if len(notes)}
        for (part, notes), colour in zip(sounding.items(), itertools.cycle(COLOURS), strict=False):
            start_s, end_s, pitch = notes.T
            axes.hlines(
                pitch, start_s, np.minimum(end_s, duration_s), color=colour, lw=3, label=shown(part)
            )
        axes.set(title=stage, ylabel="MIDI pitch")
        if sounding:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=11)
    panels[-1].set(xlabel="time (s)", xlim=(0, duration_s))
    parts = "; ".join(f"{stage}: {', '.join(parts)}" for stage, parts in stages.items())
    return svg(figure, f"Piano roll. {parts}")
