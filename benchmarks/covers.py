"""Covers of validation pieces in few numbers, for choosing between two versions of the arranger.

    python benchmarks/covers.py BENCH/validation [--real FOLDER] [--n N] [--style-file FILE]

The last N (10) recordings a style, 20 s from the middle, are transferred by `score`. What the
tagger says of them, melody recall, chroma cosine, and the distance (KAD) to all recordings of the
target style; with FOLDER, that of the jazz covers to real recordings of jazz, in pieces of 20 s.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from numpy.typing import NDArray

from thirdstream import audio, registry
from thirdstream.audio import SR, Wave
from thirdstream.evaluation import metrics
from thirdstream.evaluation.material import Item, excerpt, paired, truth_of
from thirdstream.evaluation.measure import normalise_level
from thirdstream.evaluation.metrics import Notes
from thirdstream.evaluation.tagger import Tagger, is_target_style
from thirdstream.evaluation.transcriber import BasicPitch
from thirdstream.notes.arranging import STYLES
from thirdstream.notes.transcription.note_events import notes_of

Array = NDArray[np.float64]
EXCERPT_S, SHORTEST_S = 20.0, 3.0
MEASURES = ("accepted", "tag of the target", "less the other", "melody recall", "chroma cosine")


def embedding(tagger: Tagger, wave: Wave) -> Array:
    return tagger.predict(wave, SR).embeddings.mean(axis=0)


def measured(
    item: Item, cover: Wave, target: str, source: str, tagger: Tagger, transcriber: BasicPitch
) -> list[float]:
    """MEASURES of a cover."""
    tags, found = tagger.predict(cover, SR), notes_of(transcriber.predict(cover, SR))
    own, other = tags.style(target), tags.style(source)
    truth, original = truth_of(item, EXCERPT_S), excerpt(item.path, EXCERPT_S)
    assert truth is not None  # all of the benchmark have notes
    n_samples = min(len(original), len(cover))
    return [
        float(is_target_style(target=own, other=other)),
        own,
        own - other,
        metrics.melody_recall(
            melody=truth.melody, estimate=Notes(found.intervals, found.pitches)
        ),
        metrics.chroma_cosine(
            reference=original[:n_samples], estimate=cover[:n_samples], sr=SR
        ),
    ]  # fmt: skip


def pieces(folder: Path) -> Sequence[Wave]:
    """The recordings of a folder in pieces of EXCERPT_S, mono and at one level."""
    found = []
    for path in audio.find_recordings(folder):
        wave = np.concatenate(list(audio.blocks(path, sr=SR, mono=True)), axis=1)[0]
        step = round(EXCERPT_S * SR)
        parts = (wave[at : at + step] for at in range(0, len(wave), step))
        found += [normalise_level(part) for part in parts if len(part) >= SHORTEST_S * SR]
    return found


def main(
    bench: Annotated[Path, tyro.conf.Positional],
    real: Path | None = None,
    n: int = 10,
    style_file: Path | None = None,
) -> None:
    """Print a table; a style file is for covers in jazz."""
    tagger, transcriber, score = Tagger(), BasicPitch(), registry.load("score")
    items = {style: sorted(some, key=lambda one: one.path.name)
             for style, some in paired(bench).items()}  # fmt: skip
    print(f"| to | n | {' | '.join(MEASURES)} | KAD |\n|---|---|---|---|---|---|---|---|")
    for source, target in (STYLES, STYLES[::-1]):
        options = {"style_file": style_file} if style_file and target == "jazz" else {}
        rows, embedded = [], []
        for item in items[source][-n:]:
            wave = excerpt(item.path, EXCERPT_S)
            made = score.transfer(wave, SR, to=target, source=source, **options)
            cover = normalise_level(made.reshape(-1, made.shape[-1]).mean(axis=0))
            rows.append(measured(item, cover, target, source, tagger, transcriber))
            embedded.append(embedding(tagger, cover))
        every = [embedding(tagger, excerpt(one.path, EXCERPT_S)) for one in items[target]]
        kad = metrics.kernel_audio_distance(reference=every, estimate=embedded)
        cells = " | ".join(f"{mean:.3f}" for mean in np.mean(rows, axis=0))
        print(f"| {target} | {len(rows)} | {cells} | {kad:.3f} |", flush=True)
        if real is not None and target == "jazz":
            waves = pieces(real)
            kad = metrics.kernel_audio_distance(
                reference=[embedding(tagger, one) for one in waves], estimate=embedded
            )
            print(f"\nKAD to {len(waves)} real pieces: {kad:.3f}\n")


if __name__ == "__main__":
    tyro.cli(main)
