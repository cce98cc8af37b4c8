"""Rate against distortion: eq. 1 on test recordings against the numbers a second of code.

    python recipes/rate.py CORPUS OUT.png MODEL... > OUT.md

A model is a bundled name, a file or a run folder; those called published-... (see published.py) are
drawn apart. How sparse can music be? The paper's codes have 5,600 numbers a second. What a linear
code can do is drawn as a line: the principal components of four frames of the training recordings.
Models called size-... are joined by another: one network with codes of several sizes, each trained
for the same time (see autoencoder.py).
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.figure import Figure

import score  # a script beside this one
from thirdstream import registry
from thirdstream.audio import SEGMENT, SR
from thirdstream.data.corpus import Corpus
from thirdstream.mel.models.paired import TwinPaired
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training import loop as training
from thirdstream.report.spectrograms import save
from thirdstream.research.figures import COLOURS

PAPER_RATE = 65 * 64 * 4 * SR / SEGMENT
N_COMPONENTS = (16, 32, 64, 96, 128, 256, 512)  # of four frames
LINEAR, SIZES = "components-", "size-"  # what the names of a line's models begin with
LINES = {LINEAR: ("principal components", "grey"), SIZES: ("twin CNN, short trainings", COLOURS[0])}


def rate(system: MelSystem) -> float:
    """Numbers a second of a model's code."""
    segment, twin = torch.zeros(1, system.mel.n_frames, system.mel.n_mels), system.model
    code = twin.encode(segment, system.styles[0])
    content = code if isinstance(twin, TwinPaired) else code.content
    return content.numel() * SR / SEGMENT


def linear(n_components: int, corpus: Corpus) -> MelSystem:
    """An untrained twin-paired: its autoencoders begin as the principal components."""
    network = replace(
        TwinPaired.PRESETS["default"], channels=n_components, latent_channels=n_components
    )
    state = training.begin("twin-paired", network, corpus, training.TrainingConfig())
    return state.system.eval()


def draw(points: dict[str, tuple[float, float]], path: Path) -> None:
    """points: by model, numbers a second and eq. 1."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for prefix, (label, colour) in LINES.items():
        line = sorted(point for name, point in points.items() if name.startswith(prefix))
        if line:
            axes.plot(*zip(*line, strict=True), ".-", color=colour, label=label)
    others = {name: point for name, point in points.items() if not name.startswith(tuple(LINES))}
    for published, colour, marker in ((True, COLOURS[1], "s"), (False, COLOURS[0], "o")):
        own = {n: p for n, p in others.items() if n.startswith(score.PUBLISHED) == published}
        axes.plot(*zip(*own.values(), strict=True), marker, color=colour)
        for number, (name, point) in enumerate(sorted(own.items(), key=lambda item: item[1][1])):
            side = (-1, 1)[number % 2]  # by turns, as many lie close together
            where = {
                "xytext": (6 * side, 7 * (number % 3) - 10),
                "ha": ("right", "left")[number % 2],
            }
            axes.annotate(name, point, textcoords="offset points", fontsize=8, **where)
    axes.legend(frameon=False)
    axes.axvline(PAPER_RATE, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("numbers a second of code")
    axes.set_ylabel("eq. 1 on test recordings")
    save(figure, path)


def main(corpus_path: str, out: str, *models: str) -> None:
    corpus = Corpus.open(corpus_path)
    points = {}
    for n_components in N_COMPONENTS:
        system = linear(n_components, corpus)
        errors = [score.score(system, corpus, style)[0] for style in corpus.styles]
        points[f"{LINEAR}{n_components}"] = (rate(system), sum(errors) / len(errors))
    for name in models:
        system = registry.load(name)
        assert isinstance(system, MelSystem)
        one = score.row(name, corpus)
        points[one.model] = (rate(system), one.mean)
    draw(points, Path(out))
    print("| model | numbers a second | eq. 1 |\n|---|---|---|")
    for name, (x, y) in sorted(points.items(), key=lambda item: item[1]):
        print(f"| {name} | {x:,.0f} | {y:.4f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
