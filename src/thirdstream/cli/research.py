"""The paper's claims and figures."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from thirdstream import registry
from thirdstream.cli.console import OUT, TALK, tell
from thirdstream.cli.locks import writes_folder
from thirdstream.data.corpus import Corpus, is_corpus
from thirdstream.files import write_json, write_text

DRAWN = ("twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")  # by default, as diagrams


@writes_folder
def claims(corpus: Path, /, *, out: Path = Path("claims"), n_segments: int = 8) -> None:
    """Check what the paper says of mel spectrograms (section 2.2) on a corpus.

    Size, sparsity and rank of each representation; quality of the sound that comes back from so
    many mels and in so many iterations; the time that Griffin-Lim takes. Writes claims.json, the
    page claims.md with a verdict on each claim, and a figure.

    Args:
        corpus: folder that `thirdstream prepare` made, with its recordings still in place.
        out: folder for the results.
        n_segments: how many a style, each from another recording.
    """
    from thirdstream.research import claims as checking
    from thirdstream.research import verdicts

    opened = Corpus.open(corpus)
    with TALK.status("measuring") as status:
        results = checking.check(opened, n_segments=n_segments, progress=status.update)
    write_json(out / "claims.json", results)
    write_text(out / "claims.md", verdicts.page(results))
    table = Table("of one segment", "values", "near zero", "effective rank", "leading energy")
    for row in verdicts.rows(results):
        table.add_row(*row)
    OUT.print(table)
    table = Table("said by", "statement", "verdict", "measurement")
    for row in verdicts.claims(results):
        table.add_row(*row)
    OUT.print(table)
    for key, of in (("n_mels", "mels"), ("n_iter", "iterations")):
        values = results[f"convergence_by_{key}"]
        text = ", ".join(f"{count}: {value:.3f}" for count, value in values.items())
        tell(f"spectral convergence by {of}: {text}")
    for file in (out / "claims.json", out / "claims.md", *checking.draw(results, out)):
        tell(str(file))


@writes_folder
def figures(
    paths: tuple[str, ...] = (),
    /,
    *,
    out: Path = Path("figures"),
    corpus: str | None = None,
    diagrams: bool = False,
) -> None:
    """Draw the paper's figures of corpora (1-4) and of trained systems (7-9, 11), as PNG and SVG.

    Example: thirdstream figures corpus run twin-vae --out figures

    Of a trained system its learning curves are drawn too. A figure that exists is replaced.

    Args:
        paths: corpus folders or addresses, run folders, .safetensors files and names of bundled
            models; by default twin-cnn.
        out: folder for the figures.
        corpus: whose test recordings are the systems' input; without it, the bundled clips.
        diagrams: draw instead the networks of the systems and the losses of their training (5, 6,
            10); by default those of the paper.
    """
    if diagrams:
        for file in _diagrams(paths, out):
            tell(str(file))
        return
    from thirdstream.mel.system import load
    from thirdstream.mel.training import history
    from thirdstream.research import figures as drawing

    shown = Corpus.open(corpus) if corpus else None
    clips = registry.bundled_clips()
    for path in paths or (registry.BASELINE,):
        if is_corpus(path):
            written = drawing.corpus_figures(Corpus.open(path), out)
        else:
            checkpoint = registry.find(path)
            system = load(checkpoint)
            powers = drawing.examples(system, corpus=shown, clips=clips)
            name = registry.label_of(path)
            written = drawing.system_figures(system, powers, out, name=name)
            learnt = history.beside(checkpoint)
            if learnt is not None:
                curves = drawing.learning_curves(history.read(learnt), out, name=name)
                written = itertools.chain(written, curves)
        for file in written:
            tell(str(file))


def _diagrams(paths: tuple[str, ...], out: Path) -> Iterator[Path]:
    """Of trained systems, or untrained ones of the preset `paper`."""
    from thirdstream.mel.models import FAMILIES
    from thirdstream.mel.system import load
    from thirdstream.research import diagrams as drawing

    if not paths:
        for name in DRAWN:
            kind = FAMILIES[name].kind
            model = kind(("classical", "jazz"), kind.PRESETS["paper"])
            yield from drawing.draw(model, out, name=f"{name}-paper")
    for path in paths:
        system = load(registry.find(path))
        yield from drawing.draw(system.model, out, name=registry.label_of(path), mel=system.mel)
