"""The main job on the bundled clips: transfer, self-reconstruction, picture and losses of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from thirdstream import audio
from thirdstream.audio import SEGMENT, Wave
from thirdstream.figures import draw_mels
from thirdstream.files import ThirdstreamError
from thirdstream.mel.system import MelSystem
from thirdstream.mel.twin import LATENT, RECONSTRUCTION
from thirdstream.transfer import Options, System, transfer_file


@dataclass(frozen=True)
class Row:
    """One clip's losses (eqs. 1 and 2 of the paper) and the level of its transfer."""

    clip: str
    to: str
    reconstruction: float
    latent: float
    rms_db: float
    peak: float


def run(system: System, clips: Sequence[Path], out: Path, *, force: bool = False) -> Iterator[Row]:
    """For each STYLE_TITLE clip write TITLE_to_STYLE.wav for both styles and a picture, TITLE.png.

    Yields a row a clip. Raises ThirdstreamError if a result exists and `force` is not given.
    """
    if not isinstance(system, MelSystem):
        raise ThirdstreamError(f"the demo draws mels; {system.name} has none")
    for clip in clips:
        style = clip.stem.partition("_")[0]
        target = system.twin.other(style)
        for to in (style, target):
            written = out / f"{clip.stem}_to_{to}.wav"
            transfer_file(system, clip, written, Options(to, source=style), force=force)
        result, _ = audio.read(written)
        wave, _ = audio.read(clip)
        losses = _compare(system, wave, style, title=clip.stem, picture=out / f"{clip.stem}.png")
        rms_db = audio.level_of([result[None]]).rms_db
        yield Row(clip.stem, target, *losses, rms_db, float(np.abs(result).max()))


@torch.inference_mode()
def _compare(
    system: MelSystem, wave: Wave, style: str, *, title: str, picture: Path
) -> tuple[float, float]:
    """Draw original, self-reconstruction and transfer; return eqs. 1 and 2 over whole segments."""
    twin, target = system.twin, system.twin.other(style)
    n_segments = max(1, len(wave) // SEGMENT)
    whole = np.resize(wave, n_segments * SEGMENT) if len(wave) < SEGMENT else wave
    segments = torch.from_numpy(whole[: n_segments * SEGMENT].copy()).reshape(n_segments, SEGMENT)
    mel = system.log_mel(style)(segments * audio.level_of([wave[None]]).gain)
    code = twin.encode(mel, style)
    usual = twin.usual_style(target, generator=torch.Generator().manual_seed(0))
    rebuilt = twin.decode(code, style)
    restyled = twin.transfer(mel, source=style, target=target, style=usual)
    again = twin.encode(restyled, target)
    rows = {"original": mel[0], "self-reconstruction": rebuilt[0], f"to {target}": restyled[0]}
    draw_mels(rows, picture, config=system.mel, title=title)
    losses = {
        RECONSTRUCTION: (rebuilt - mel).abs().mean().item(),
        LATENT: (again.content - code.content).abs().mean().item(),
    }
    return losses[RECONSTRUCTION], losses[LATENT]
