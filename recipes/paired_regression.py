"""What plain regression on pairs comes to: paired_regression.py VERSIONS OUT [MINUTES]

The twin CNN, 2-D residual blocks, and its eq. 1, with the distance of each transfer to the other
version of the piece beside it; on the corpus VERSIONS of twin-paired, for as long (29 minutes of
every core, by the processor's clock: other work beside it does not matter).
OUT is a model for `evaluate --models`. It is a measuring stick: it learns the median of all right
answers, which is a blur.
"""

import time
from pathlib import Path

import torch
import tyro
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader

from thirdstream.data.corpus import TRAIN, Corpus, Versions
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.model import MODEL, RECONSTRUCTION, mean_over
from thirdstream.mel.models.twin import rebuilt_in, reconstruction_loss
from thirdstream.mel.training.loop import TrainingConfig, begin

CONFIG = TrainingConfig(batch_size=8, lr=1e-3)


def spent() -> float:
    """Seconds of the processor that each thread had on average."""
    return time.process_time() / torch.get_num_threads()


def main(versions: str, out: str, minutes: str = "29") -> None:
    corpus = Corpus.open(versions)
    state = begin("twin-cnn", TwinCNN.PRESETS["default"], corpus, CONFIG)
    system, optimizer = state.system, state.optimizers[MODEL]
    budget_s, epoch, begun_s = 60 * float(minutes), 0, spent()
    while (spent_s := spent() - begun_s) < budget_s:
        pairs = Versions(corpus, TRAIN, seed=0, epoch=epoch, others=False)
        epoch += 1
        for batch in DataLoader(pairs, CONFIG.batch_size, drop_last=True):
            if (spent_s := spent() - begun_s) >= budget_s:
                break
            mels = {s: system.log_mel(s).normalise(batch[s]) for s in corpus.styles}
            passes = system.model.passes(mels)
            rebuilt = reconstruction_loss(mels, rebuilt_in(passes))
            other = system.model.other
            swapped = mean_over([l1_loss(passes[s].restyled, mels[other(s)]) for s in mels])
            optimizer.zero_grad(set_to_none=True)
            (rebuilt + swapped).backward()
            optimizer.step()
            state.step += 1
            for group in optimizer.param_groups:
                group["lr"] = CONFIG.lr * max(1 - spent_s / budget_s, 0.02)
            if state.step % 50 == 0:
                print(state.step, f"{spent_s:.0f} s", f"{RECONSTRUCTION} {rebuilt:.4f}",
                      f"to the other version {swapped:.4f}", flush=True)  # fmt: skip
    system.card["recipe"] = f"paired_regression.py: {state.step} steps of {CONFIG.batch_size}"
    system.eval().save(Path(out))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
