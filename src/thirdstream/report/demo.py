"""The bundled clips transferred by several systems, with pictures, on a page that compares them."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from markupsafe import Markup

from thirdstream import audio
from thirdstream.files import check_free, whole_file, write_text
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.system import MelSystem
from thirdstream.registry import SYSTEMS
from thirdstream.report.html import render
from thirdstream.report.piano_roll import piano_roll
from thirdstream.report.spectrograms import mel_figure, save
from thirdstream.system import Notation, Options, System
from thirdstream.transfer.files import transfer_file

PAGE = "index.html"
N_COLUMNS = 3  # of mel spectrograms in a picture


@dataclass(frozen=True)
class Row:
    """What a system made of a clip: the file, its level, its highest peak (full scale 1)."""

    clip: Path
    system: str
    to: str
    made: Path
    rms_db: float
    peak: float


@dataclass
class Clip:
    """A row of the page: the original and its transfers, by label; piano rolls by system."""

    title: str
    style: str
    sounds: dict[str, Path]
    picture: Path
    rolls: dict[str, Markup] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long the original lasts."""
        header = audio.info(next(iter(self.sounds.values())))
        return header.n_samples / header.sr

    def addresses(self) -> dict[str, str]:
        """Of the sounds, from a page beside them."""
        return {label: quote(path.name) for label, path in self.sounds.items()}


def run(
    systems: Mapping[str, System[Any]], clips: Sequence[Path], out: Path, *, force: bool = False
) -> Iterator[Row]:
    """For each STYLE_TITLE clip write STYLE_TITLE_to_OTHER_SYSTEM.wav, and a picture of them all.

    At the end OUT/index.html has everything to see and to hear. Yields a row for each file. Raises
    ThirdstreamError if a result exists and `force` is not given.
    """
    check_free(out / PAGE, force=force)
    shown = []
    for path in clips:
        style, _, title = path.stem.partition("_")
        original = out / path.name
        with whole_file(original) as temporary:
            shutil.copyfile(path, temporary)
        picture = out / f"{path.stem}.png"
        clip = Clip(
            title.replace("_", " ").title(), style, {f"original: {style}": original}, picture
        )
        for name, system in systems.items():
            yield _transferred(system, path, clip, name=name, force=force)
        draw(clip)
        shown.append(clip)
    about = {name: sentence(system) for name, system in systems.items()}
    write_text(out / PAGE, page(shown, about))


def sentence(system: System[Any]) -> str:
    """What a system is; of the paper's own networks also that they are."""
    about = SYSTEMS[system.name].about
    if isinstance(system, MelSystem) and system.model.config == system.model.PRESETS.get("paper"):
        return f"{about} Network and losses are strictly the paper's; little of a recording stays."
    return about


def _transferred(system: System[Any], path: Path, clip: Clip, *, name: str, force: bool) -> Row:
    """Of a clip, which gets the sound and the music that the system goes by way of."""
    to = next(other for other in system.styles if other != clip.style)
    made = clip.picture.with_name(f"{path.stem}_to_{to}_{name}.wav")
    music: list[Notation] = []
    system.on_notation = music.append
    transfer_file(system, path, made, Options(to, source=clip.style), force=force)
    clip.sounds[f"{name}: to {to}"] = made
    if music:
        clip.rolls[name] = piano_roll(music[0].notes(), duration_s=clip.seconds)
    wave, _ = audio.read(made)
    peak = float(np.abs(wave).max())
    return Row(path, name, to, made, audio.level_of([wave[None]]).rms_db, peak)


def draw(clip: Clip) -> None:
    """Draw the mel spectrograms of a clip's sounds, all as loud, on one scale."""
    log_mel, panels = LogMel(), []
    for name, file in clip.sounds.items():
        wave, _ = audio.read(file)
        level = audio.level_of([wave[None]])
        with torch.inference_mode():
            panels.append((name, log_mel(torch.from_numpy(wave)[None] * level.gain)[0]))
    rows = [dict(panels[at : at + N_COLUMNS]) for at in range(0, len(panels), N_COLUMNS)]
    scale = "log10(1 + mel power)"
    save(mel_figure(rows, config=log_mel.config, title=clip.title, scale=scale), clip.picture)


def page(clips: Sequence[Clip], about: Mapping[str, str]) -> str:
    """A page beside the files, which plays them; it fetches nothing else.

    about: what each system is, in a sentence.
    """
    return render("demo.html", clips=clips, systems=about)
