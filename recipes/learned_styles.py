"""Any two styles: each is learned from recordings, and recordings go from each to each other.

    python recipes/own_styles.py SCORES OWN --learn-fonts A --judge-fonts B C --test-fonts A
    python recipes/learned_styles.py OWN OUT [--styles STYLE ...]

By default those styles of OWN/test are taken that nothing was tuned on: own_styles.py says which
were seen before. The styles of OWN/learn are learned as by `thirdstream learn-style`, then those of
OWN/test are transferred as by `thirdstream transfer --to`. Judges are trained on OWN/judge.
The setting `concatenative` plays them by an index of the same recordings, as by `thirdstream index`
and `thirdstream transfer --model`. OUT/STYLE.style, OUT/index.safetensors, OUT/results.json and
OUT/table.md. Run it again after an interruption: what is measured is not measured again. Needs
basic-pitch.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from own_styles import MANIFEST, TUNED, title_of  # scripts beside this one
from style_judges import Judge, K, statistics
from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.evaluation import metrics, retrieval
from thirdstream.evaluation.measure import normalise_level
from thirdstream.evaluation.metrics import Interval, Notes
from thirdstream.evaluation.tagger import Tagger
from thirdstream.evaluation.transcriber import BasicPitch
from thirdstream.files import (
    ThirdstreamError,
    forget_parts,
    make_folder,
    read_json,
    sha256,
    write_json,
)
from thirdstream.notes.learning.learn import find_music, learn, style_of
from thirdstream.notes.mosaicing.system import load
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.styles.learned import write_learned
from thirdstream.notes.system import arranged, played
from thirdstream.notes.transcription.note_events import notes_of
from thirdstream.notes.transcription.transcribe import transcribe_file

Array = NDArray[np.float64]
SECONDS = 22.0  # of a recording that is measured
ENOUGH, KEPT = 0.6, 0.7  # accepted, and melody recall, of a pair of styles that counts
MEASURES = ("accepted", "accepted_by_notes", "melody_recall", "chroma_cosine", "cover_mrr",
            "cover_hit_at_1")  # fmt: skip
SETTINGS = {  # of a transfer: by default all notes are kept, the accompaniment's among them
    "default": {},
    "all style": {"style_strength": 1.0, "keep_content": 0.3},
}
CONCATENATIVE = "concatenative"  # the setting that another system makes
INDEX = "index.safetensors"
SHARES = ("accepted", "accepted_by_notes", "cover_hit_at_1")


class Recording(NamedTuple):
    """A recording of OWN, and its style."""

    path: Path
    style: str


class Wanted(NamedTuple):
    """A transfer: to which style, by which of SETTINGS, where its row and, if at all, its sound
    go."""

    target: str
    setting: str
    file: Path
    row: Path
    sound: Path


class Measured(NamedTuple):
    """What is measured of any sound: its embedding (200,), statistics, notes and chroma."""

    wave: Wave
    embedding: Array
    statistics: Array
    notes: Notes
    chroma: Array


class Embedder(Tagger):
    """The tagger without the network whose tags alone count: in half of the time."""

    @cached_property
    def _networks(self) -> dict[str, Any]:
        return {"MSD": super()._networks["MSD"]}


class Networks:
    """The published networks that measure."""

    def __init__(self) -> None:
        self.tagger, self.transcriber = Embedder(), BasicPitch()

    def measured(self, wave: Wave) -> Measured:
        """Of a mono wave at 44.1 kHz."""
        found = notes_of(self.transcriber.predict(wave, SR))
        notes = Notes(found.intervals, found.pitches)
        return Measured(
            wave,
            self.tagger.predict(wave, SR).embeddings.mean(axis=0),
            statistics(wave, SR, notes),
            notes,
            retrieval.pooled_chroma(metrics.chroma(wave, SR)),
        )


def opening(path: Path) -> Wave:
    """The first SECONDS of a recording, mono, at one level."""
    return normalise_level(audio.read(path)[0][: round(SECONDS * SR)])


def learned(own: Path, out: Path, styles: Sequence[str]) -> dict[str, Any]:
    """Learn the styles that are not there, and say what each cost."""
    record = out / "learned.json"
    about = read_json(record, kind="record") if record.exists() else {}
    for style in tqdm(styles, desc="learning", unit="style"):
        place = out / f"{style}.style"
        if place.exists() and style in about:
            continue
        begun = time.process_time()
        paths = find_music([own / "learn" / style])
        faults = [one.fault for one in learn(paths, place) if one.fault is not None]
        found = style_of(paths, place, name=style)
        write_learned(place, found)
        forget_parts(place)
        about[style] = {
            "cpu_s": round(time.process_time() - begun, 1),
            "audio_s": round(sum(_seconds(path) for path in paths), 1),
            "recordings": len(paths),
            "bars": len(found.bars),
            "left_out": faults,
        }
        write_json(record, about)
    return about


def indexed(own: Path, out: Path, styles: Sequence[str]) -> dict[str, Any]:
    """Make the index of all styles if it is not there, and say what it cost."""
    place, record = out / INDEX, out / "index.json"
    if not (place.exists() and record.exists()):
        folders = {style: own / "learn" / style for style in styles}
        sources = [f"{style}={folder}" for style, folder in folders.items()]
        command = [sys.executable, "-m", "thirdstream", "index", *sources, "--out", str(place)]
        subprocess.run([*command, "--force"], check=True)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        paths = find_music(list(folders.values()))
        about = {
            "cpu_s": round(spent.ru_utime + spent.ru_stime, 1),
            "audio_s": round(sum(map(_seconds, paths)), 1),
            "recordings": len(paths),
            "bars": "",
            "left_out": [],
        }
        write_json(record, about)
    return read_json(record, kind="record")


def _seconds(path: Path) -> float:
    header = audio.info(path)
    return (header.n_samples or audio.measure(path).n_samples) / header.sr


def restyled(path: Path, wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, Wave]]:
    """A recording in each style, as `transfer` makes it; for the arranger it is transcribed
    once."""
    n_samples = round(min(_seconds(path), SECONDS) * SR)
    for one in (one for one in wanted if one.setting == CONCATENATIVE):
        made = load(one.file).transfer(opening(path), SR, to=one.target)
        yield one, normalise_level(made)
    covers = [one for one in wanted if one.setting != CONCATENATIVE]
    if not covers:
        return
    found = transcribe_file(path)
    for one in covers:
        options = ScoreOptions(to=str(one.file), **SETTINGS[one.setting])
        arrangement, timing = arranged(found, options)
        blocks = played(arrangement.song, timing, options, n_samples=n_samples, n_channels=1)
        yield one, normalise_level(np.concatenate(list(blocks), axis=1)[0])


@dataclass(frozen=True)
class Evaluation:
    """The recordings of OWN that are tested, and what judges them."""

    own: Path
    out: Path
    styles: tuple[str, ...]
    settings: tuple[str, ...]
    n: int
    sounds: bool
    networks: Networks

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Of own_styles.py."""
        return read_json(self.own / MANIFEST, kind="manifest")

    def recordings(self, of_set: str, styles: Sequence[str]) -> list[Recording]:
        """Those of a set in some styles."""
        return [Recording(path, style) for style in styles
                for path in sorted((self.own / of_set / style).glob("*.flac"))]  # fmt: skip

    @cached_property
    def judges(self) -> tuple[Judge, Judge]:
        """Of sound and of notes, trained on all styles of OWN/judge."""
        every = sorted(path.name for path in (self.own / "judge").iterdir())
        rows = self.recordings("judge", every)
        place = self.out / "judge.json"
        known = read_json(place, kind="judge") if place.exists() else {}
        for one in tqdm(rows, desc="judges", unit="recording"):
            if (digest := sha256(one.path)) not in known:
                found = self.networks.measured(opening(one.path))
                known[digest] = {"embedding": found.embedding.tolist(),
                                 "statistics": found.statistics.tolist()}  # fmt: skip
        write_json(place, known)
        names, kept = [one.style for one in rows], [known[sha256(one.path)] for one in rows]
        return (
            Judge.of([one["embedding"] for one in kept], names),
            Judge.of([one["statistics"] for one in kept], names),
        )

    @cached_property
    def originals(self) -> dict[Recording, Measured]:
        """Of all test recordings: the first of each style, the second, and so on."""
        of_style = [self.recordings("test", [style])[: self.n] for style in self.styles]
        rows = [one for some in zip_longest(*of_style) for one in some if one is not None]
        return {one: self.networks.measured(opening(one.path))
                for one in tqdm(rows, desc="originals", unit="recording")}  # fmt: skip

    def melody(self, one: Recording) -> Notes:
        """As it was played."""
        notes = self.manifest["test"][one.style][one.path.stem]["melody"]
        table = np.array([note for note in notes if note[0] < SECONDS - 0.5])
        return Notes(table[:, :2], table[:, 2])

    def row(self, original: Recording, target: str, result: Measured) -> dict[str, Any]:
        """What is measured of a result."""
        judges = zip(self.judges, (result.embedding, result.statistics), strict=True)
        sound, notes = (judge.style(values) for judge, values in judges)
        title = title_of(original.path)
        gallery = {str(one.path): found.chroma for one, found in self.originals.items()
                   if one == original or title_of(one.path) != title}  # fmt: skip
        place = retrieval.rank(str(original.path), result.chroma, gallery)
        wave = self.originals[original].wave
        n_samples = min(len(wave), len(result.wave))
        return {
            "source": original.style, "target": target, "name": original.path.stem,
            "judged": sound, "judged_by_notes": notes,
            "accepted": float(sound == target), "accepted_by_notes": float(notes == target),
            "melody_recall": metrics.melody_recall(
                melody=self.melody(original), estimate=result.notes),
            "chroma_cosine": metrics.chroma_cosine(
                reference=wave[:n_samples], estimate=result.wave[:n_samples], sr=SR),
            "cover_mrr": 1 / place, "cover_hit_at_1": float(place == 1), "gallery": len(gallery),
        }  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """Of every test recording in every other style that is tested with its own."""
        found = []
        for original in tqdm(list(self.originals), desc="transfers", unit="recording"):
            wanted = list(self._wanted(original))
            left = [one for one in wanted if not one.row.exists()]
            for one, wave in restyled(original.path, left) if left else ():
                if self.sounds:
                    make_folder(one.sound.parent)
                    audio.write(one.sound, [wave[None]], sr=SR, n_channels=1)
                row = self.row(original, one.target, self.networks.measured(wave))
                write_json(one.row, {"setting": one.setting, **row})
            found += [read_json(one.row, kind="row") for one in wanted]
        return found

    @cached_property
    def _hashes(self) -> dict[Path, str]:
        """Of all that is played by."""
        files = (self.out / name for name in (INDEX, *(f"{one}.style" for one in self.styles)))
        return {file: sha256(file)[:12] for file in files if file.exists()}

    def _wanted(self, original: Recording) -> Iterator[Wanted]:
        for target in self.styles:
            way = f"{original.style}-{target}"
            for setting in self.settings if target != original.style else ():
                file = self.out / (INDEX if setting == CONCATENATIVE else f"{target}.style")
                name = f"{original.path.stem}-{setting.replace(' ', '-')}"
                row = self.out / "rows" / f"{way}-{self._hashes[file]}-{name}.json"
                yield Wanted(target, setting, file, row, self.out / "sounds" / way / f"{name}.flac")

    def corners(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of the original itself, as it would be judged in each direction, and of another
        recording of a target style, of another title."""
        same, other = [], []
        for number, (original, found) in enumerate(self.originals.items()):
            row = self.row(original, original.style, found)
            targets = [one for one in self.styles if one != original.style]
            for target in targets:
                columns = {"accepted": "judged", "accepted_by_notes": "judged_by_notes"}
                same.append(row | {key: float(row[of] == target) for key, of in columns.items()})
            target = targets[number % len(targets)]
            among = [one for one in self.originals if one.style == target
                     and title_of(one.path) != title_of(original.path)]  # fmt: skip
            another = self.originals[among[number % len(among)]]
            other.append(self.row(original, target, another))
        return {"original": same, "another recording of the target style": other}


def scores(rows: Sequence[Mapping[str, Any]]) -> dict[str, Interval]:
    """Means and intervals, one value a result."""
    return {
        key: metrics.proportion([row[key] for row in rows]) if key in SHARES
        else metrics.bootstrap([row[key] for row in rows], seed=0)
        for key in MEASURES
    }  # fmt: skip


def summary(found: Evaluation, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> Any:
    """results.json."""
    settings = {}
    for setting in found.settings:
        some = [row for row in rows if row["setting"] == setting]
        ways = {
            f"{source} to {target}": [
                row for row in some if (row["source"], row["target"]) == (source, target)
            ]
            for source, target in permutations(found.styles, 2)
        }
        settings[setting] = {
            "all": _plain(scores(some)),
            "ways": {way: _plain(scores(of_way)) for way, of_way in ways.items()},
        }
    return {
        "styles": found.styles,
        "fonts": found.manifest["fonts"],
        "learned": about,
        "judge": {"recordings": len(found.judges[0].styles),
                  "styles": len(set(found.judges[0].styles)), "k": K},
        "networks": {"tagger": found.networks.tagger.about(),
                     "transcriber": found.networks.transcriber.about()},
        "settings": settings,
        "corners": {name: _plain(scores(some)) for name, some in found.corners().items()},
        "rows": list(rows),
    }  # fmt: skip


def _plain(values: Mapping[str, Interval]) -> dict[str, Any]:
    return {key: one._asdict() for key, one in values.items()}


def table(results: Mapping[str, Any]) -> str:
    """Markdown: all together with the corners, what is accepted each way, and the costs."""
    lines = ["| | n | " + " | ".join(key.replace("_", " ") for key in MEASURES) + " |",
             "|---|---|" + "---|" * len(MEASURES)]  # fmt: skip
    settings = results["settings"]
    named = {name: one["all"] for name, one in settings.items()} | results["corners"]
    for name, one in named.items():
        cells = (f"{one[k]['mean']:.2f} [{one[k]['low']:.2f}, {one[k]['high']:.2f}]"
                 for k in MEASURES)  # fmt: skip
        lines.append(f"| {name} | {one['accepted']['n']} | " + " | ".join(cells) + " |")
    for setting, one in settings.items():
        for key in ("accepted", "accepted_by_notes", "melody_recall"):
            lines += ["", f"{setting}, {key.replace('_', ' ')}:", ""]
            lines += _matrix(results["styles"], one["ways"], key)
        lines += ["", _pairs(results["styles"], one["ways"])]
    return "\n".join([*lines, "", *_costs(results)]) + "\n"


def _matrix(styles: Sequence[str], ways: Mapping[str, Any], key: str) -> Iterator[str]:
    """A row a source, a column a target."""
    yield "| from, to | " + " | ".join(styles) + " |"
    yield "|---|" + "---|" * len(styles)
    for source in styles:
        cells = (f"{ways[f'{source} to {target}'][key]['mean']:.2f}" if source != target else ""
                 for target in styles)  # fmt: skip
        yield f"| {source} | " + " | ".join(cells) + " |"


def _pairs(styles: Sequence[str], ways: Mapping[str, Any]) -> str:
    pairs = list(combinations(styles, 2))
    n_good = sum(_counts(ways[f"{a} to {b}"]) and _counts(ways[f"{b} to {a}"]) for a, b in pairs)
    n_ways = sum(map(_counts, ways.values()))
    return (f"At least {ENOUGH} accepted at a melody recall of at least {KEPT}: {n_ways} of "
            f"{len(ways)} directions, {n_good} of {len(pairs)} pairs each way.")  # fmt: skip


def _costs(results: Mapping[str, Any]) -> Iterator[str]:
    yield "| style | recordings | audio, s | bars | CPU, s | CPU s a minute of audio |"
    yield "|---|---|---|---|---|---|"
    for style, one in results["learned"].items():
        yield (f"| {style} | {one['recordings'] - len(one['left_out'])} of {one['recordings']} | "
               f"{one['audio_s']:.0f} | {one['bars']} | {one['cpu_s']} | "
               f"{60 * one['cpu_s'] / one['audio_s']:.1f} |")  # fmt: skip


def _counts(way: Mapping[str, Any]) -> bool:
    return way["accepted"]["mean"] >= ENOUGH and way["melody_recall"]["mean"] >= KEPT


def main(
    own: tyro.conf.Positional[Path],
    out: tyro.conf.Positional[Path],
    /,
    *,
    styles: tuple[str, ...] = (),
    settings: tuple[str, ...] = (*SETTINGS, CONCATENATIVE),
    n: int = 6,
    sounds: bool = False,
) -> None:
    """Learn, transfer, judge. styles: by default all of OWN/test but own_styles.py's TUNED.
    settings: of SETTINGS, or CONCATENATIVE. n: recordings of each that are transferred. sounds:
    keep what is made, in OUT/sounds."""
    every = sorted(path.name for path in (own / "test").iterdir())
    chosen = styles or tuple(one for one in every if one not in TUNED)
    if not chosen:
        raise ThirdstreamError(f"{own / 'test'}: every style was tuned on; name some by --styles")
    make_folder(out / "rows")
    about = learned(own, out, chosen) if set(settings) & set(SETTINGS) else {}
    if CONCATENATIVE in settings:
        about[CONCATENATIVE] = indexed(own, out, chosen)
    found = Evaluation(own, out, chosen, settings, n, sounds, Networks())
    results = summary(found, found.rows(), about)
    write_json(out / "results.json", json.loads(json.dumps(results)))
    (out / "table.md").write_text(table(results), encoding="utf-8")
    sys.stdout.write(table(results))


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except ThirdstreamError as error:
        raise SystemExit(str(error)) from None
