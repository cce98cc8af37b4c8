"""Models of earlier versions."""

from pathlib import Path

from thirdstream.cli.console import tell
from thirdstream.cli.locks import writes_file
from thirdstream.files import check_free


@writes_file
def convert(model: Path, /, *, out: Path, force: bool = False) -> None:
    """Bring a model of an earlier version up to date.

    Example: thirdstream convert old.safetensors --out new.safetensors

    It transfers as before, to the last bit. A run of an earlier version cannot be resumed:
    convert it, and begin another run with --init.

    Args:
        model: the .safetensors file, or the folder of its run, of which the best model is taken.
        out: the file to write; the model's history is written beside it.
        force: replace a file that exists.
    """
    from thirdstream import registry
    from thirdstream.mel.convert import convert as write

    check_free(out, force=force)
    write(registry.find(model), out)
    tell(str(out))
