"""The vocoder against the search: python recipes/vocoder_compared.py VOCODER [RECORDING ...]

VOCODER is a file of `recipes/vocoder.py`; the recordings, none of which it was trained on, give
four segments each. Their own mels first, where the recording says what is right; then mels that
twin-cnn changed, where only mel consistency can be told: how far the sound misses what was asked
for. One thread; processor seconds a segment of 2.97 s, the least of three runs.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from thirdstream import audio, checkpoint, registry
from thirdstream.audio import SEGMENT
from thirdstream.evaluation import metrics
from thirdstream.mel.system import MelSystem
from thirdstream.mel.vocoder.phases import propagated
from thirdstream.mel.vocoder.synthesis import Synthesiser
from vocoder import Vocoder

N = 4
SYNTHESISER = Synthesiser()
WAYS = {  # magnitudes, phases to start from, iterations of fast Griffin-Lim
    "search, noise, 32 (as the paper)": ("search", "noise", 32),
    "search, the recording's phase, 32 (default)": ("search", "recording", 32),
    "search, the recording's phase, 4": ("search", "recording", 4),
    "search, the recording's phase, 0": ("search", "recording", 0),
    "search, propagated phases, 8 (twin-paired)": ("search", "propagated", 8),
    "vocoder, noise, 32": ("vocoder", "noise", 32),
    "vocoder, the recording's phase, 32": ("vocoder", "recording", 32),
    "vocoder, the recording's phase, 4": ("vocoder", "recording", 4),
    "vocoder, the recording's phase, 0": ("vocoder", "recording", 0),
    "vocoder, propagated phases, 8": ("vocoder", "propagated", 8),
}


def segments(path: Path) -> Tensor:
    """(N, SEGMENT) at -20 dB from the start of a recording."""
    wave, _ = audio.read(path)
    wave = wave[: N * SEGMENT] * audio.level_of([wave[None]]).gain
    return torch.from_numpy(wave[: len(wave) // SEGMENT * SEGMENT].reshape(-1, SEGMENT))


def synthesis(power: Tensor, waves: Tensor, way: str, vocoder: Vocoder) -> Tensor:
    """Mel power -> sound, one of WAYS."""
    magnitudes, phases, n_iter = WAYS[way]
    found = vocoder(power) if magnitudes == "vocoder" else SYNTHESISER.magnitude(power)
    generator = torch.Generator().manual_seed(0)
    starts: dict[str, Callable[[], Tensor]] = {
        "noise": lambda: SYNTHESISER.noise(found.shape, generator),
        "recording": lambda: SYNTHESISER.stft(padded(waves, found.shape[2])),
        "propagated": lambda: propagated(found, n_fft=2048, hop_length=512),
    }
    return SYNTHESISER.griffin_lim(found, start=starts[phases](), n_iter=n_iter)


def padded(waves: Tensor, n_frames: int) -> Tensor:
    """As long as a synthesis of so many frames."""
    return torch.nn.functional.pad(waves, (0, (n_frames - 1) * 512 - waves.shape[1]))


def consistency(model: MelSystem, power: Tensor, made: Tensor) -> float:
    """Of frames that do not hang on what is beyond the end."""
    got = model.log_mel("jazz").power(made)[:, : power.shape[1]]
    return metrics.mel_consistency(reference=power[:, :-2].numpy(), estimate=got[:, :-2].numpy())


@torch.inference_mode()
def compared(path: Path, vocoder: Vocoder, model: MelSystem, way: str) -> tuple[float, ...]:
    """Seconds, multi-resolution STFT distance, mel consistency; consistency after a transfer."""
    waves = segments(path)
    power = model.log_mel("jazz").power(waves)
    seconds, made = [], waves
    for _ in range(3):
        start = time.process_time()
        made = synthesis(power, waves, way, vocoder)
        seconds.append((time.process_time() - start) / len(waves))
    distance = np.mean([
        metrics.multi_resolution_stft(reference=one.numpy(), estimate=other.numpy())
        for one, other in zip(padded(waves, power.shape[1]), made, strict=True)
    ])  # fmt: skip
    changed = []
    for source, target in (("classical", "jazz"), ("jazz", "classical")):
        mel = model.log_mel(source).normalise(power)
        into = model.log_mel(target)
        wanted = into.denormalise(
            into.within(model.model.transfer(mel, source=source, target=target))
        )
        changed.append(consistency(model, wanted, synthesis(wanted, waves, way, vocoder)))
    own = consistency(model, power, made)
    return min(seconds), float(distance), own, float(np.mean(changed))


def main(file: str, *recordings: str) -> None:
    torch.set_num_threads(1)
    vocoder, model = Vocoder(), registry.load("twin-cnn")
    vocoder.load_state_dict(checkpoint.read(Path(file))[0])
    assert isinstance(model, MelSystem)
    paths = [Path(name) for name in recordings] or registry.bundled_clips()
    print(
        "| magnitudes, phases, iterations | s | STFT distance | mel consistency | of changed mels |"
    )
    print("|---|---|---|---|---|")
    for way in WAYS:
        rows = [compared(path, vocoder.eval(), model, way) for path in paths]
        seconds, distance, own, changed = np.mean(rows, axis=0)
        print(f"| {way} | {seconds:.3f} | {distance:.3f} | {own:.4f} | {changed:.3f} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
