"""What mattered in twin-paired: python recipes/paired_choices.py BENCH/validation VERSIONS MODEL

The model that retrieves by less, in other units, and from other indices of the corpus
VERSIONS, which it was trained on; 15 s from the middle of every validation recording, both
ways. No test recording is used: these are choices.
"""

from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from build_index import N_SEGMENTS, with_index  # a script beside this one
from thirdstream import registry
from thirdstream.audio import SR
from thirdstream.data.corpus import Corpus
from thirdstream.evaluation import measure, metrics
from thirdstream.evaluation.material import excerpt
from thirdstream.evaluation.tagger import Tagger, is_target_style
from thirdstream.mel.models import retrieval
from thirdstream.mel.system import MelSystem

EXCERPT_S = 15.0
SETTINGS = ("CHROMA_WEIGHT", "ONSET_WEIGHT", "UNIT", "FADE", "N_CANDIDATES")
CHOICES = {  # what differs from the model as it is; and how many segments are indexed
    "as it is": ({}, N_SEGMENTS),
    "by the embedding alone": ({"CHROMA_WEIGHT": 0.0, "ONSET_WEIGHT": 0.0}, N_SEGMENTS),
    "by embedding and chroma": ({"ONSET_WEIGHT": 0.0}, N_SEGMENTS),
    "by embedding and onsets": ({"CHROMA_WEIGHT": 0.0}, N_SEGMENTS),
    "units of 8 columns": ({"UNIT": 8}, N_SEGMENTS),
    "without fading": ({"FADE": 0}, N_SEGMENTS),
    "fading over 2 columns": ({"FADE": 2}, N_SEGMENTS),
    "512 segments at random": ({"N_CANDIDATES": 1}, N_SEGMENTS),
    "128 segments": ({}, 128),
    "2,048 segments": ({}, 2048),
}


def measured(
    model: MelSystem, recordings: list[Path], source: str, tagger: Tagger
) -> tuple[float, float, float]:
    """(target-style rate, chroma cosine, F of the beats) of the transfers into the other style."""
    target, rows = model.model.other(source), []
    for path in recordings:
        original = excerpt(path, EXCERPT_S)
        made = model.transfer(original, SR, to=target, source=source, seed=0)
        tags = tagger.predict(measure.normalise_level(made), SR)
        rows.append((
            is_target_style(target=tags.style(target), other=tags.style(source)),
            metrics.chroma_cosine(reference=original, estimate=made, sr=SR),
            metrics.beat_f_measure(
                reference=metrics.beat_times(original, SR), estimate=metrics.beat_times(made, SR)
            ),
        ))  # fmt: skip
    share, chroma, beats = np.mean(rows, axis=0)
    return float(share), float(chroma), float(beats)


def main(validation: str, versions: str, name: str) -> None:
    model, corpus, tagger = registry.load(name), Corpus.open(versions), Tagger()
    assert isinstance(model, MelSystem)
    files = {style: sorted((Path(validation) / style).glob("*.flac")) for style in model.styles}
    default = {name: getattr(retrieval, name) for name in SETTINGS}
    print("| | to | target-style rate | chroma cosine | beats |\n|---|---|---|---|---|")
    for choice, (changes, n_segments) in tqdm(CHOICES.items()):
        for setting, value in (default | changes).items():
            setattr(retrieval, setting, value)
        chosen = with_index(model, n_segments, corpus)
        for source in model.styles:
            share, chroma, beats = measured(chosen, files[source], source, tagger)
            target = chosen.model.other(source)
            print(f"| {choice} | {target} | {share:.2f} | {chroma:.3f} | {beats:.2f} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
