"""Weights that others publish: where they lie, how they are fetched, what loads them.

A network is loaded from a folder, as save_pretrained writes it: config.json, and weights as
safetensors. Pickled ones (pytorch_model.bin) are never fetched and never read.
"""

import importlib.util
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any

from thirdstream import shortage
from thirdstream.files import ThirdstreamError, read_json, sha256
from thirdstream.packages import MissingPackage

CONFIG, INDEX = "config.json", "model.safetensors.index.json"
FETCHED = ("*.json", "*.safetensors")  # of a repository
LOGGER = logging.getLogger("thirdstream")


@dataclass(frozen=True)
class Published:
    """A network that others publish.

    repository: at the hub of Hugging Face. kind: its `model_type` in config.json. network: its
    class in transformers. extra: of thirdstream, that brings what loads it. size: of what is
    fetched. licence: of the weights. needs: files beside configuration and weights.
    """

    repository: str
    kind: str
    network: str
    extra: str
    size: str
    licence: str
    needs: tuple[str, ...] = ()


def require(published: Published) -> None:
    """Raise MissingPackage where transformers is not installed. It is not imported."""
    if importlib.util.find_spec("transformers") is None:
        raise MissingPackage(
            f"{published.repository} needs the package transformers; type: "
            f"pip install 'thirdstream[{published.extra}]'"
        )


def import_transformers(published: Published) -> Any:
    """transformers, told to report nothing to its makers. Raises MissingPackage."""
    require(published)
    _hub()
    import transformers

    return transformers


def _hub() -> Any:
    """The package that fetches and keeps what is published. It sends no telemetry from here."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import huggingface_hub
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # it may have been imported before
    return huggingface_hub


def on_disk(published: Published, *, own: Path, given: Path | None = None) -> Path | None:
    """The folder with the weights: the given one, the user's own, or that of the hub's cache.

    None where none is there. Raises ThirdstreamError where the first of them holds something else,
    and MissingPackage.
    """
    require(published)
    folder = given or (own if own.is_dir() else _cached(published))
    if folder is not None:
        check(folder, published)
    return folder


def _cached(published: Published) -> Path | None:
    """What was fetched before, complete; asks nobody."""
    hub = _hub()
    try:
        folder = Path(
            hub.snapshot_download(
                published.repository, allow_patterns=FETCHED, local_files_only=True
            )
        )
    except (OSError, ValueError):  # LocalEntryNotFoundError is an OSError
        return None
    return folder if _complete(folder, published) else None


def _complete(folder: Path, published: Published) -> bool:
    """Whether there are a configuration, and all the files of weights that there should be."""
    if not all((folder / name).is_file() for name in (CONFIG, *published.needs)):
        return False
    if not (folder / INDEX).is_file():
        return (folder / "model.safetensors").is_file()
    index = read_json(folder / INDEX, kind="index of weights")
    try:
        return all((folder / name).is_file() for name in set(index["weight_map"].values()))
    except (AttributeError, KeyError, TypeError):  # it is no index
        return False


def found(published: Published, *, own: Path, given: Path | None = None) -> Path:
    """As `on_disk`, and where none is there, they are fetched. Raises ThirdstreamError where they
    cannot be."""
    folder = on_disk(published, own=own, given=given)
    return folder or _fetched(published, own)


def _fetched(published: Published, own: Path) -> Path:
    LOGGER.warning("fetching %s, %s, once", published.repository, published.size)
    try:
        folder = _hub().snapshot_download(published.repository, allow_patterns=FETCHED)
    except Exception as error:  # whatever its ways through the net raise
        if shortage.said(error):
            raise
        raise missing(published, own, fault=f"cannot be fetched ({_reason(error)})") from error
    check(Path(folder), published)
    return Path(folder)


def _reason(error: Exception) -> str:
    """Why nothing was fetched. The hub's package finds nothing in its cache where it has no net."""
    name = type(error).__name__
    offline = name in ("LocalEntryNotFoundError", "OfflineModeIsEnabled") or "Connect" in name
    return "huggingface.co cannot be reached" if offline else name


def missing(published: Published, own: Path, *, fault: str) -> ThirdstreamError:
    """What is said where the weights are not on disk."""
    return ThirdstreamError(
        f"the weights {published.repository} are not on this computer and {fault}; where there is "
        f"internet, type: hf download {published.repository} --local-dir FOLDER, and give the "
        f"folder as --weights, or put it at {own}"
    )


def check(folder: Path, published: Published) -> None:
    """Raise ThirdstreamError where a folder does not hold this network, or not all its weights."""
    remedy = f"give a folder with {published.repository}, as `hf download` makes it"
    if not (folder / CONFIG).is_file():
        raise ThirdstreamError(f"{folder}: holds no {CONFIG}, so no network; {remedy}")
    config = read_json(folder / CONFIG, kind="configuration of a network")
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != published.kind:
        raise ThirdstreamError(
            f"{folder}: holds a network of the kind {str(kind)[:60]!r}, not {published.kind!r}; "
            f"{remedy}"
        )
    for name in published.needs:
        if not (folder / name).is_file():
            raise ThirdstreamError(f"{folder}: lacks {name}; {remedy}")
    if not _complete(folder, published):
        raise ThirdstreamError(
            f"{folder}: lacks weights as safetensors, the only ones that are read; {remedy}"
        )


def damaged(folder: Path, fault: object) -> ThirdstreamError:
    """What is said where a folder's files contradict themselves."""
    first = next(iter(str(fault).strip().splitlines()), type(fault).__name__)
    return ThirdstreamError(f"{folder}: is damaged ({first[:120]}); remove it and fetch it again")


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Inside, whatever goes wrong is said to be the folder's fault, but for a lack of memory."""
    try:
        yield
    except ThirdstreamError:
        raise
    except Exception as error:  # transformers raises whatever a configuration brings about
        if shortage.said(error):
            raise
        raise damaged(folder, error) from error


@lru_cache(maxsize=2)
def load(folder: Path, published: Published) -> Any:
    """The network in a folder, on the GPU if there is one; the last two are kept.

    Raises ThirdstreamError where the folder is damaged.
    """
    import torch

    transformers = import_transformers(published)
    with reading(folder), quietly(), torch.random.fork_rng([]):  # weights are drawn, then read
        network, told = getattr(transformers, published.network).from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
        # What is missing would be random: transformers goes on with a remark.
        lacking = set(told["missing_keys"]) & {name for name, _ in network.named_parameters()}
        if lacking:
            raise damaged(folder, f"{min(lacking)} is not among its weights")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return network.eval().requires_grad_(False).to(device)


@contextmanager
def quietly() -> Iterator[None]:
    """Inside, transformers shows no bars of its own and remarks on nothing."""
    from transformers.utils import logging as remarks

    level, bars = remarks.get_verbosity(), remarks.is_progress_bar_enabled()
    remarks.set_verbosity_error()
    remarks.disable_progress_bar()
    try:
        yield
    finally:
        remarks.set_verbosity(level)
        if bars:
            remarks.enable_progress_bar()


def configuration(folder: Path, published: Published) -> Any:
    """What transformers makes of a folder's configuration, with what it leaves out."""
    transformers = import_transformers(published)
    kind = getattr(transformers, published.network).config_class
    with reading(folder), quietly():
        return kind.from_pretrained(folder, local_files_only=True)


def n_parameters(folder: Path, published: Published) -> int:
    """Of the network in a folder, whose weights are not read."""
    import torch

    config, transformers = configuration(folder, published), import_transformers(published)
    with reading(folder), quietly(), torch.device("meta"):
        network = getattr(transformers, published.network)(config)
    return sum(one.numel() for one in network.parameters())


def identity(folder: Path, published: Published) -> str:
    """The repository with its commit; of a folder of one's own, with a hash of what is in it."""
    if folder.parent.name == "snapshots":  # the hub's cache names it by the commit
        return f"{published.repository} {folder.name}"
    return f"{published.repository} sha256 {_hash_of(sorted(folder.glob('*')))}"


def _hash_of(paths: Iterable[Path]) -> str:
    files = [path for path in paths if path.suffix in (".json", ".safetensors")]
    return new_sha256("".join(f"{one.name} {sha256(one)} " for one in files).encode()).hexdigest()
