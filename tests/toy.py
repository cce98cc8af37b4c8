"""A toy problem of unpaired transfer: two styles of synthetic mels, whose truth is known.

Both styles play melodies out of one scale, one note at a time. The partials of the first style grow
weaker from the fundamental upwards; those of the second, stronger. The same melody in the other
style is the truth of a transfer. Copying keeps every note, and has the timbre all wrong.
"""

import math
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torch.nn.utils import clip_grad_value_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from conftest import STYLES
from thirdstream.mel.models.model import Batch, MelModel, weighted_sum

N_MELS = 32
NOTE_FRAMES = 8
SCALE = (0, 2, 4, 7, 9, 12)  # mel bands above the lowest note
OFFSETS = (0, 4, 7, 10)  # bands of the partials above the fundamental
TIMBRES = {"classical": (2.0, 1.0, 0.5, 0.2), "jazz": (0.2, 0.5, 1.0, 2.0)}


def melody(n_frames: int, *, generator: torch.Generator) -> list[int]:
    """The band of the fundamental of each note."""
    n_notes = -(-n_frames // NOTE_FRAMES)
    draws = torch.randint(len(SCALE), (n_notes,), generator=generator)
    return [4 + SCALE[k] for k in draws.tolist()]


def play(notes: list[int], style: str, *, n_frames: int) -> Tensor:
    """(n_frames, N_MELS): partials that decay over each note."""
    mel = torch.zeros(len(notes) * NOTE_FRAMES, N_MELS)
    decay = torch.linspace(1, 0.3, NOTE_FRAMES)
    for number, lowest in enumerate(notes):
        at = slice(number * NOTE_FRAMES, (number + 1) * NOTE_FRAMES)
        for offset, loud in zip(OFFSETS, TIMBRES[style], strict=True):
            for beside, share in ((-1, 0.3), (0, 1.0), (1, 0.3)):
                mel[at, lowest + offset + beside] += share * loud * decay
    return mel[:n_frames]


def mels(n: int, style: str, *, n_frames: int, seed: int, floor: float = 0.0) -> Tensor:
    """(n, n_frames, N_MELS) of random melodies; one seed plays the same melodies in any style.

    floor: of the noise between the notes.
    """
    generator = torch.Generator().manual_seed(seed)
    tunes = [melody(n_frames, generator=generator) for _ in range(n)]
    return torch.stack([play(tune, style, n_frames=n_frames) for tune in tunes]) + floor


def train(
    model: MelModel,
    *,
    n_steps: int,
    batch_size: int,
    n_frames: int,
    lr: float,
    betas: tuple[float, float] | None = None,
    floor: float = 0.0,
    ema: float = 0.0,
) -> MelModel:
    """Unpaired: the melodies of the two styles are others, in every step. The trained model.

    lr: falls to 0, by a cosine. betas: Adam's decays, in place of the players' own. ema: of the
    moving average of the weights that is returned.
    """
    torch.manual_seed(0)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema))
    players = model.players()
    optimizers = {
        name: torch.optim.Adam(
            one.parameters, lr * one.lr_scale, betas or one.betas, weight_decay=one.weight_decay
        )
        for name, one in players.items()
    }
    draw = partial(mels, batch_size, n_frames=n_frames, floor=floor)
    model.initialise(lambda n: [{s: draw(s, seed=10**6 + k) for k, s in enumerate(STYLES)}])
    model.train()
    for step in range(n_steps):
        batch = {style: draw(style, seed=2 * step + k) for k, style in enumerate(STYLES)}
        falling = (1 + math.cos(math.pi * step / n_steps)) / 2
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = lr * players[name].lr_scale * falling
            if step % players[name].every == 0:
                optimizer.zero_grad()
                losses = model(Batch(batch, batch), name)
                weighted_sum(losses, model.loss_weights(name)).backward()
                if (most := players[name].clip_value) is not None:
                    clip_grad_value_(players[name].parameters, most)
                optimizer.step()
        averaged.update_parameters(model)
    return cast(MelModel, averaged.module).eval() if ema else model.eval()


@torch.no_grad()
def likeness(model: MelModel, *, n_frames: int, floor: float = 0.0) -> dict[str, float]:
    """By target style: how like transfers of new melodies are to the same melodies played in that
    style, see `cosine`.
    """
    draw = partial(mels, 8, n_frames=n_frames, seed=10**7)
    played = {style: draw(style) for style in STYLES}
    found = {}
    for source in STYLES:
        target = model.other(source)
        made = model.transfer(played[source] + floor, source=source, target=target)
        found[target] = cosine(made - floor, truth=played[target])
    return found


def baselines(*, n_frames: int) -> dict[str, float]:
    """How like the truth a copy is, which has the melody, and how like it another melody is, which
    has the timbre. Silence is at 0.
    """
    draw = partial(mels, 8, n_frames=n_frames)
    first, second = (draw(style, seed=10**7) for style in STYLES)
    other = draw(STYLES[1], seed=10**7 + 1)
    return {"copy": cosine(first, truth=second), "another": cosine(other, truth=second)}


def cosine(mel: Tensor, *, truth: Tensor) -> float:
    """The mean over frames of the cosine similarity of spectra; 0 where one is silent."""
    return cosine_similarity(mel, truth, dim=-1).mean().item()
