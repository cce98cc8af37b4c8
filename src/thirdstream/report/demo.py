"""The main job on the bundled clips: six systems' transfer of each, pictures, and a page."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thirdstream import audio
from thirdstream.files import ThirdstreamError, whole_file
from thirdstream.mel.features.logmel import LogMel
from thirdstream.research.figures import draw_mels
from thirdstream.shown import in_html
from thirdstream.system import Options, System
from thirdstream.transfer.files import transfer_file

PAGE = "index.html"


@dataclass(frozen=True)
class Row:
    """What a system made of a clip: the file, its level, its highest peak (full scale 1)."""

    clip: Path
    system: str
    to: str
    made: Path
    rms_db: float
    peak: float


def run(
    systems: Mapping[str, System[Any]], clips: Sequence[Path], out: Path, *, force: bool = False
) -> Iterator[Row]:
    """For each STYLE_TITLE clip write STYLE_TITLE_to_OTHER_SYSTEM.wav, and a picture of them all.

    At the end OUT/index.html has everything to see and to hear. Yields a row for each file. Raises
    ThirdstreamError if a result exists and `force` is not given.
    """
    if (out / PAGE).exists() and not force:
        raise ThirdstreamError(f"{out / PAGE}: exists already; add --force to replace it")
    rows: list[Row] = []
    for clip in clips:
        style, _, title = clip.stem.partition("_")
        copied = out / clip.name
        with whole_file(copied) as temporary:
            shutil.copyfile(clip, temporary)
        heard = {f"the clip: {style}": copied}
        for name, system in systems.items():
            target = next(other for other in system.styles if other != style)
            made = out / f"{clip.stem}_to_{target}_{name}.wav"
            transfer_file(system, clip, made, Options(target, source=style), force=force)
            wave, _ = audio.read(made)
            peak = float(np.abs(wave).max())
            rows.append(Row(clip, name, target, made, audio.level_of([wave[None]]).rms_db, peak))
            heard[f"{name}: to {target}"] = made
            yield rows[-1]
        draw(heard, out / f"{clip.stem}.png", title=title.replace("_", " "))
    with whole_file(out / PAGE) as temporary:
        temporary.write_text(page(rows), encoding="utf-8")


def draw(heard: Mapping[str, Path], path: Path, *, title: str) -> None:
    """Draw the mels of sounds of one length, all as loud, on one scale."""
    log_mel, columns = LogMel(), {}
    for name, file in heard.items():
        wave, _ = audio.read(file)
        level = audio.level_of([wave[None]])
        with torch.inference_mode():
            columns[name] = log_mel(torch.from_numpy(wave)[None] * level.gain)[0]
    draw_mels(columns, path, config=log_mel.config, title=title)


def page(rows: Sequence[Row]) -> str:
    """A page beside the files, which plays them; it fetches nothing else."""
    parts = []
    for clip in dict.fromkeys(row.clip for row in rows):
        style, _, title = clip.stem.partition("_")
        own = [row for row in rows if row.clip == clip]
        players = [_player(f"{row.system}: to {row.to}", row.made.name) for row in own]
        parts.append(
            f"<h2>{in_html(title.replace('_', ' '))}</h2><p>Original: {in_html(style)}</p>"
            f"<img src='{in_html(clip.stem)}.png' alt='Mel spectrograms of clip and transfers'>"
            + "".join([_player("the clip", clip.name), *players])
        )
    return HEAD + "\n".join(parts) + "</main></body></html>\n"


def _player(label: str, source: str) -> str:
    name = in_html(label)
    return (
        f"<figure><figcaption>{name}</figcaption><audio controls preload='none' "
        f"aria-label='{name}' src='{in_html(source)}'></audio></figure>"
    )


HEAD = """<!doctype html>
<html lang='en'><head><meta charset='utf-8'>
<meta name='viewport' content='width=device-width, initial-scale=1'>
<title>thirdstream: demo</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
img { width: 100%; height: auto; }
figure { display: inline-block; margin: .5rem 1rem .5rem 0; }
audio { display: block; max-width: 100%; }
</style></head><body><main>
<h1>The bundled clips in the other style</h1>
<p><b>score</b>, where it is there, listens and arranges anew; <b>twin-paired</b> answers each
moment with one of the recordings that it remembers; the other twins, the paper's systems, change
the sound and keep what is played. All files are beside this page, as loud as their clip.</p>
"""
