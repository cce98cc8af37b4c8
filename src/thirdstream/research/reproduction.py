"""The paper from beginning to end: corpus, four systems by some seeds, measures, figures, a page.

Everything is kept in one folder and nothing done twice: corpus/ as `prepare` makes it, runs/ with
a run folder for each system and seed, measures/ and figures/ with what was made of these,
results.json, index.html and report.md. Seeds come one after the other, so that a table of all
systems is there after the first.
"""

import contextlib
import dataclasses
import hashlib
import inspect
import itertools
import json
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from thirdstream import checkpoint
from thirdstream.data import preparing
from thirdstream.data.corpus import TEST, TRAIN, VALIDATION, Corpus, Recording, Skipped
from thirdstream.data.preparing import Found
from thirdstream.files import ThirdstreamError, read_json, sha256, write_json
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import MelSystem, load, size_of
from thirdstream.mel.training import history
from thirdstream.report import reproduction as report
from thirdstream.report.reproduction import Counts, Losses, Music, Reproduction, Settings
from thirdstream.research import figures, measures, measuring, published, sources
from thirdstream.research.findings import PAPER_LOSSES, judge
from thirdstream.research.runs import LAST, SYSTEMS, How, Progress, Runs
from thirdstream.research.share import Part, digest, digest_of, part_of

SETTINGS = "settings.json"
MIN_MEASURED, MAX_MEASURED = 64, 512  # test segments of each style, which are in memory together


# --- music --------------------------------------------------------------------------------------


def prepare(found: Sequence[Found], out: Path, *, n_jobs: int) -> Iterator[Recording | Skipped]:
    """As `preparing.prepare`, but where the corpus is done, nothing.

    Raises ThirdstreamError where it is of other recordings: trainings would not compare.
    """
    if (out / "corpus.json").is_file():
        opened = Corpus.open(out)
        known = {Path(one.path).resolve() for one in (*opened.recordings, *opened.skipped)}
        if known != {one.path.resolve() for one in found}:
            raise ThirdstreamError(
                f"{out}: is a corpus of other recordings; choose a new folder for --out"
            )
        return
    yield from preparing.prepare(found, out, n_jobs=n_jobs)


def music_of(corpus: Corpus, part: Part) -> dict[str, Music]:
    """Counts by style, the paper's beside ours. Styles of other names count as its two."""
    before, after = corpus.summary(), part.summary()
    papers = dict(zip(corpus.styles, sources.PAPER.values(), strict=True)) | dict(sources.PAPER)
    return {
        style: Music(
            paper=papers[style],
            corpus=_total(before[style].values()),
            used={split: _total([row]) for split, row in after[style].items()},
        )
        for style in corpus.styles
    }


def _total(rows: Any) -> Counts:
    rows = list(rows)
    n, segments, hours = (
        sum(row[name] for row in rows) for name in ("recordings", "segments", "hours")
    )
    return Counts(recordings=int(n), segments=int(segments), hours=float(hours))


# --- the whole ----------------------------------------------------------------------------------


def run(
    corpus: Corpus, how: How, out: Path, *, command: str, remarks: Sequence[str] = ()
) -> Generator[Progress]:
    """Train, measure, draw and write the page; what is done already is not done again.

    command, remarks: are said on the page. Raises ThirdstreamError where `out` was begun with other
    settings or the corpus is too small; Interrupted on Ctrl-C, when all is saved.
    """
    how.check()
    part = part_of(corpus, scale=how.scale, at_least=how.batch_size)
    _check_size(part, how)
    if how.published is not None:
        published.networks(how.published)  # before hours of training
    _check_settings(out, how, corpus)
    said = [*remarks, *(
        f"No recording of {style} is for testing: the models are measured on others"
        for style in corpus.styles if not corpus.of(style, TEST)
    )]  # fmt: skip
    work = Work(corpus, part, how, out)
    for seed in range(how.seeds):
        yield from work.runs.train_all(seed)
        yield from work.measure_all(seed)
        yield from work.draw_all()
        if seed + 1 == how.seeds or not work.runs.is_done(seed + 1):  # else there is more to tell
            report.write(work.results(seed + 1, command=command, remarks=said), out)


def _check_size(part: Part, how: How) -> None:
    n_pairs = min(part.n_segments(style, TRAIN) for style in part.styles)
    if n_pairs < how.batch_size:
        raise ThirdstreamError(
            f"{part.path}: an epoch has {n_pairs} pairs, fewer than a batch of {how.batch_size}; "
            f"give more recordings, or --batch-size {n_pairs} or less"
        )


def _check_settings(out: Path, how: How, corpus: Corpus) -> None:
    """Note what all trainings have in common; raise ThirdstreamError where it was otherwise."""
    common = ("epochs", "batch_size", "lr", "preset", "scale")
    wanted = {name: getattr(how, name) for name in common} | {"corpus": digest_of(corpus)}
    path = out / SETTINGS
    if not path.is_file():
        write_json(path, wanted)
        return
    before = read_json(path, kind="table of settings")
    changed = [name for name in wanted if before.get(name) != wanted[name]]
    if changed:
        was = " and ".join(
            f"{name} {before.get(name)}" if name != "corpus" else "another corpus"
            for name in changed
        )
        raise ThirdstreamError(
            f"{out}: was begun with {was}; ask for the same to go on (only --seeds and "
            "--published may change), or choose another folder"
        )


@dataclass(frozen=True)
class Work:
    """All trainings and what is made of them, kept in the folder `out`."""

    corpus: Corpus
    part: Part
    how: How
    out: Path

    @property
    def runs(self) -> Runs:
        """The trainings."""
        return Runs(self.part, self.how, self.out / "runs")

    # --- measures ---

    @property
    def n_measured(self) -> int:
        """Segments of each style, spread over its test recordings; fewer where it has fewer."""
        of = self.corpus.n_segments
        total = max(
            next(filter(None, (of(style, split) for split in (TEST, VALIDATION, TRAIN))))
            for style in self.corpus.styles
        )
        wanted = max(MIN_MEASURED, math.ceil(self.how.scale * total))
        return min(total, wanted, MAX_MEASURED)

    def measure_all(self, seed: int) -> Iterator[Progress]:
        """The four systems of one seed and, with the first, the published weights."""
        for number, system in enumerate(SYSTEMS, start=seed * len(SYSTEMS)):
            name, total = f"{system}, seed {seed}", self.how.seeds * len(SYSTEMS)
            yield Progress("measuring", number, total, f"measuring {name}")
            if self.runs.fault_of(system, seed) is None:
                try:
                    self.measured(system, seed)
                except ThirdstreamError as error:  # it makes nothing that is finite
                    self.runs.give_up(system, seed, error)
                    yield Progress("measuring", number, total, name, alarm=f"{name}: {error}")
            yield Progress("measuring", number + 1, total, f"measured {name}")
        if self.how.published is not None and seed == 0:
            yield Progress("published", 0, 1, "measuring the published weights")
            _ = self.published
            yield Progress("published", 1, 1, "measured the published weights")

    def measured(self, system: str, seed: int) -> Mapping[str, Any]:
        """What `measuring.measure` says of the model of a run's last epoch."""
        path = self.runs.folder(system, seed) / LAST
        return self._measured(f"{system}-seed{seed}", sha256(path), partial(load, path))

    @cached_property
    def published(self) -> dict[str, Mapping[str, Any]]:
        """The same of the author's networks, by name; empty where none are asked for.

        Where the style is a code, with both kinds of AdaIN.
        """
        folder = self.how.published
        if folder is None:
            return {}
        return {
            name: self._measured(name, weights_of(system), lambda system=system: system)
            for name, system in published.load_both(folder, self.corpus).items()
        }

    def _measured(
        self, name: str, weights: str, loaded: Callable[[], MelSystem]
    ) -> Mapping[str, Any]:
        """All models are measured on the same segments, by the same draws of styles."""
        code = [_code_of(module) for module in (measuring, measures)]
        key = {"model": weights, "code": code, **self._music()}
        path = self.out / "measures" / f"{name}-{digest(key)[:16]}.json"
        how = {"n_segments": self.n_measured, "seed": 0}
        return _kept(path, key, lambda: measuring.measure(loaded(), self.part, **how))

    def _music(self) -> dict[str, Any]:
        """What measures depend on, besides the model and the code."""
        return {"corpus": digest_of(self.part), "n_segments": self.n_measured}

    # --- figures and the page ---

    def draw_all(self) -> Iterator[Progress]:
        """Figures 1 to 4, and 7, 8, 9 and 11 of the first seed."""
        draws = self._draws()
        for number, (name, draw) in enumerate(draws.items()):
            yield Progress("drawing", number, len(draws), f"drawing figures of the {name}")
            try:
                self._drawn(name, draw)
            except ThirdstreamError as error:  # a recording of an old corpus went away
                yield Progress("drawing", number, len(draws), "drawing", alarm=str(error))
        yield Progress("drawing", len(draws), len(draws), "drawing")

    def _draws(self) -> dict[str, Callable[[], Iterator[Path]]]:
        """What draws each group of figures."""
        folder = self.out / "figures"
        return {"corpus": lambda: figures.corpus_figures(self.corpus, folder)} | {
            name: partial(self._draw_system, name, folder)
            for name in SYSTEMS
            if self.runs.good_seeds(name, 1)
        }

    def _draw_system(self, name: str, folder: Path) -> Iterator[Path]:
        run_folder = self.runs.folder(name, 0)
        system = load(run_folder / LAST)
        powers = figures.examples(system, corpus=self.part, clips=())
        yield from figures.system_figures(system, powers, folder, name=run_folder.name)
        epochs = history.read(run_folder / history.NAME)
        yield from figures.learning_curves(epochs, folder, name=run_folder.name)

    def _drawn(self, name: str, draw: Callable[[], Iterator[Path]]) -> list[str]:
        """The names of the files of a group, drawn if they are not there."""
        key = {"code": _code_of(figures), **self._music()}
        if name in SYSTEMS:
            key["model"] = sha256(self.runs.folder(name, 0) / LAST)
        kept = self.out / "figures" / f"{name}-{digest(key)[:16]}.json"
        return _kept(kept, key, lambda: [path.name for path in draw()])

    def figures(self) -> list[str]:
        """The names, below `out`, of all that could be drawn."""
        names: list[str] = []
        for name, draw in self._draws().items():
            with contextlib.suppress(ThirdstreamError):
                names += [f"figures/{one}" for one in self._drawn(name, draw)]
        return names

    def results(self, n_seeds: int, *, command: str, remarks: Sequence[str]) -> Reproduction:
        """Everything about the first so many seeds, as the page has it."""
        measures = {
            system: [self.measured(system, seed) for seed in self.runs.good_seeds(system, n_seeds)]
            for system in SYSTEMS
        }
        failed = [
            f"{system} by seed {seed} counts nowhere: {fault}"
            for system, seed in itertools.product(SYSTEMS, range(n_seeds))
            if (fault := self.runs.fault_of(system, seed)) is not None
        ]
        settings = {name: getattr(self.how, name) for name in Settings.model_fields}
        return Reproduction(
            command=command,
            versions=checkpoint.versions(),
            settings=Settings(**settings),
            corpus=digest_of(self.corpus),
            music=music_of(self.corpus, self.part),
            n_skipped=sum(one.fault for one in self.corpus.skipped),
            n_measured=self.n_measured,
            n_seeds=n_seeds,
            remarks=[*remarks, *failed],
            losses={system: self._losses(system, n_seeds) for system in SYSTEMS},
            published={name: _eq1(one) for name, one in self.published.items()},
            measures=measures | {name: [one] for name, one in self.published.items()},
            findings=judge(measures),
            figures=self.figures(),
        )

    def _losses(self, system: str, n_seeds: int) -> Losses:
        seeds = self.runs.good_seeds(system, n_seeds)
        scores = [self.runs.validation(system, seed) for seed in seeds]
        return Losses(
            n_parameters=size_of(
                FAMILIES[system].kind(self.corpus.styles, self.runs.network(system))
            ),
            paper=PAPER_LOSSES[system],
            test=[_eq1(self.measured(system, seed)) for seed in seeds],
            validation=[score for score in scores if score is not None],
        )


def _eq1(measures: Mapping[str, Any]) -> float:
    """Averaged over the two styles, as the paper has it."""
    values = measures["reconstruction"].values()
    return sum(values) / len(values)


def weights_of(system: MelSystem) -> str:
    """A digest of all that decides what a model makes, as `files.sha256` of its file."""
    content = hashlib.sha256(json.dumps(dataclasses.asdict(system.model.config)).encode())
    for name, tensor in sorted(system.state_dict().items()):
        content.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return content.hexdigest()


def _code_of(module: ModuleType) -> str:
    """What changes with the code of a module."""
    return digest(inspect.getsource(module))[:16]


def _kept(path: Path, key: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """What a file keeps; where there is none, it is made and written with what it depends on."""
    if path.is_file():
        return read_json(path, kind="measurement")["value"]
    value = make()
    write_json(path, {"key": key, "value": value})
    return value
