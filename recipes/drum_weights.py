"""Train the networks that find drum strokes (`notes/learning/drums.onnx` is the mean of two).

    python recipes/drum_weights.py TRAIN VALIDATION WORK SOUNDFONT... [--kits FOLDER ...]
        [--others FOLDER ...] [--hours 0.15]

TRAIN, VALIDATION: folders of MIDI files, such as the training and validation pieces of `thirdstream
benchmark`. Stretches of them are played by drawn instruments, with drums and without, in drawn
rooms, through the soundfonts but the last, or the bundled orchestra. One network learns from their
drums, the other from those of FOLDERs too (`drawn_kits.py`). Nothing learns from the last
soundfont, by which those of VALIDATION are played, and from other FOLDERs. WORK keeps the excerpts
and the states of the trainings, from which the same command goes on. Prints how many strokes of
each kind are right and are found, and strokes a second of excerpts with drums and without.

Different soundfonts may have the same drums: FluidR3's are those of MuseScore General.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import torch
import tyro
from scipy.ndimage import maximum_filter1d
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from drawn_ensembles import EVERY, LENGTH_S, STRUCK, Kit, drawn, kit_of_font  # beside this one
from drawn_kits import Kits, kind_of
from thirdstream.files import make_folder
from thirdstream.notes.learning.percussion import FPS, KINDS, N_MELS, PEAK, SURE, mel_frames
from thirdstream.notes.rendering import ORCHESTRA
from training_run import Run, export  # a script beside this one

N_TRAIN, N_VALIDATION = 600, 150
BANJOS = 6 * (105,)  # General MIDI programs: what is most like a drum is played more often
N_CHANNELS, DROPOUT, DILATIONS = 32, 0.1, (2, 4, 16)
BATCH, N_FRAMES, RATE = 16, 860, 2e-3
LOUDER, COLOUR = 0.35, 0.08  # of a part, and from band to band: deviations of the log magnitude
BESIDE = 0.5  # how sure the network should be a frame from a stroke
OFTEN = 2.0  # weight of strokes against other frames
NEAR = 3  # frames from a stroke within which it is found
ABOUT = {
    "what": "thirdstream's network of drum strokes: recipes/drum_weights.py",
    "licence": "MIT",
    "learned from": "scores of 1930 and earlier (OpenEWLD), arranged by thirdstream, played by "
    "FluidR3_GM (MIT), MuseScore_General_Lite (MIT) and thirdstream's orchestra, with their drums "
    "and those of Audiophob (CC0), rumpf_kit_z01 (Emanuel Rumpf, CC BY 3.0) and Sonic Pi (CC0)",
}


class Excerpt(NamedTuple):
    """mels: (N_MELS, n_frames). aims: (kinds, n_frames), 1 at strokes. has_drums: whether it has
    any."""

    mels: np.ndarray
    aims: np.ndarray
    has_drums: bool


class Network(nn.Module):
    """(n, N_MELS, n_frames) -> logits (n, kinds, n_frames)."""

    def __init__(self) -> None:
        super().__init__()
        n = N_CHANNELS
        self.standard = nn.BatchNorm1d(2 * N_MELS)
        self.first = nn.Conv1d(2 * N_MELS, n, 5, padding=2)
        self.far = nn.ModuleList(nn.Conv1d(n, n, 5, padding=2 * d, dilation=d) for d in DILATIONS)
        self.drop, self.last = nn.Dropout1d(DROPOUT), nn.Conv1d(n, len(KINDS), 1)

    def forward(self, mels: Tensor) -> Tensor:
        rises = functional.relu(mels - functional.pad(mels, (1, 0))[:, :, :-1])
        x = functional.elu(self.first(self.standard(torch.cat([mels, 4 * rises], 1))))
        for layer in self.far:
            x = x + functional.elu(layer(self.drop(x)))
        return self.last(x)


class Mean(nn.Module):
    """How sure some networks are on average."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, mels: Tensor) -> Tensor:
        return torch.stack([torch.sigmoid(one(mels)) for one in self.networks]).mean(dim=0)


def excerpt(path: Path, fonts: Sequence[Path], seed: str, kit: Kit) -> Excerpt | None:
    one = drawn(path, fonts, seed=seed, kit=kit, programs=(*EVERY, *STRUCK, *BANJOS))
    if one is None:
        return None
    n = round(LENGTH_S * FPS)
    aims = np.zeros((len(KINDS), n), np.float16)
    quarter_s = 60 / one.song.beats_per_minute
    strokes = one.drums.notes if one.drums is not None else ()
    for note in strokes:
        at = round(note.start * quarter_s * FPS)
        if at < n:
            aims[KINDS.index(kind_of(note.pitch)), at] = 1
    return Excerpt(mel_frames(one.wave)[:, :n].astype(np.float16), aims, bool(strokes))


def excerpts(folder: Path, fonts: Sequence[Path], n: int, place: Path, kit: Kit) -> list[Excerpt]:
    """So many of a folder's MIDI files, in turn; what was made is kept in a file."""
    if place.is_file():
        return joblib.load(place)
    paths = sorted(folder.rglob("*.mid"))
    random.Random(place.stem).shuffle(paths)
    jobs = (joblib.delayed(excerpt)(paths[k % len(paths)], fonts, f"{place.stem} {k}", kit)
            for k in tqdm(range(n), unit="excerpt"))  # fmt: skip
    found = [one for one in joblib.Parallel(n_jobs=-1)(jobs) if one is not None]
    joblib.dump(found, place)
    return found


def batches(material: Sequence[Excerpt], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Parts of excerpts, as other microphones have them: (BATCH, ..., N_FRAMES)."""
    rng = np.random.default_rng(seed)
    while True:
        some = [material[k] for k in rng.integers(0, len(material), BATCH)]
        first = int(rng.integers(0, some[0].aims.shape[1] - N_FRAMES))
        mels, aims = (torch.tensor(np.stack([one[k][:, first : first + N_FRAMES] for one in some]))
                      .float() for k in (0, 1))  # fmt: skip
        louder = rng.normal(0, LOUDER, (BATCH, 1, 1))
        colour = np.cumsum(rng.normal(0, COLOUR, (BATCH, N_MELS, 1)), axis=1)
        gain = torch.tensor(np.exp(louder + colour - colour.mean(axis=1, keepdims=True))).float()
        beside = BESIDE * functional.max_pool1d(aims, 3, 1, 1)
        yield torch.log1p(torch.expm1(mels) * gain), torch.maximum(aims, beside)


def train(material: Sequence[Excerpt], run: Run, hours: float) -> None:
    drawn_batches, mean = batches(material, run.n_steps), 0.0
    for step in run.steps(3600 * hours):
        mels, aims = next(drawn_batches)
        loss = functional.binary_cross_entropy_with_logits(
            run.network(mels), aims, pos_weight=torch.tensor(OFTEN)
        )
        run.learn(loss)
        mean += (loss.item() - mean) * max(0.01, 1 / (step + 1))
        if step % 200 == 0:
            print(step, f"{run.spent_s:.0f} s, {mean:.4f}", flush=True)


def report(network: Mean, material: Sequence[Excerpt]) -> None:
    """Of each kind, what share of what is found is right, and of what is there is found."""
    network.eval()
    counts, rates = [], []
    for one in material:
        with torch.inference_mode():
            sure = network(torch.tensor(one.mels).float()[None])[0].numpy()
        found, true = (sure >= SURE) & (sure == maximum_filter1d(sure, PEAK, axis=1)), one.aims == 1
        near_true, near_found = (maximum_filter1d(rows, 2 * NEAR + 1, axis=1)
                                 for rows in (true, found))  # fmt: skip
        rows = (found & near_true, found, true & near_found, true)
        counts.append([row.sum(axis=1) for row in rows])
        rates.append(found.sum() / LENGTH_S)
    n_right, n_found, n_met, n_true = np.sum(counts, axis=0)
    for drum, *ratios in zip(KINDS, n_right / np.maximum(n_found, 1), n_met / n_true, strict=True):
        print(drum, "right {:.2f}, found {:.2f}".format(*ratios))
    has = np.array([one.has_drums for one in material])
    with_drums, without = (np.sort(np.array(rates)[of]).round(2) for of in (has, ~has))
    print(f"strokes a second: {len(with_drums)} with drums, least {with_drums[:6]}")
    print(f"{len(without)} without, most {without[-6:]}")


def main(
    train_folder: tyro.conf.Positional[Path],
    validation: tyro.conf.Positional[Path],
    work: tyro.conf.Positional[Path],
    fonts: tyro.conf.Positional[tuple[Path, ...]],
    /,
    *,
    kits: tuple[Path, ...] = (),
    others: tuple[Path, ...] = (),
    hours: float = 0.15,
) -> None:
    """Learn `hours` each, and write WORK/drums.onnx. kits: folders of drum samples to learn from;
    others: to report on."""
    make_folder(work)
    networks, n_steps = [], 0
    for name, kit in {"font": kit_of_font, "kits": Kits(kits)}.items():
        torch.manual_seed(0)
        place, voices = work / f"train-{name}.joblib", (*fonts[:-1], ORCHESTRA)
        own = excerpts(train_folder, voices, N_TRAIN, place, kit)
        run = Run(work / name, Network(), rate=RATE)
        train(own, run, hours)
        networks.append(run.network)
        n_steps += run.n_steps
    both = Mean(networks)
    for name, kit in {"font": kit_of_font, "kits": Kits(others)}.items():
        print(f"unheard {name}:")
        report(both, excerpts(validation, fonts[-1:], N_VALIDATION, work / f"{name}.joblib", kit))
    export(
        both,
        lambda n: torch.rand(1, N_MELS, n),
        work / "drums.onnx",
        ABOUT | {"steps": str(n_steps)},
        names=("mels", "activations"),
        axes=(2, 2),
    )


if __name__ == "__main__":
    tyro.cli(main)
