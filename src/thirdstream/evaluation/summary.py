"""The results of an evaluation, as plain data: what OUT.json holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256 as new_sha256
from typing import Any

import numpy as np
import torch

from thirdstream.evaluation import VERSION, Settings, metrics, retrieval
from thirdstream.evaluation.cost import Cost
from thirdstream.evaluation.evaluate import (
    COPY_CONTENT,
    ORIGINAL,
    REFERENCE,
    Entry,
    Outcome,
    code_digest,
    loaded,
    models_of,
    versions,
    weights_digest,
)
from thirdstream.evaluation.gallery import GALLERY
from thirdstream.evaluation.material import Item, Material
from thirdstream.evaluation.measure import BINARY_METRICS, METRICS
from thirdstream.files import ThirdstreamError, sha256
from thirdstream.notes.rendering import ORCHESTRA

Row = Mapping[str, Any]


def summarise(
    outcomes: Iterable[Outcome],
    costs: Mapping[str, Cost],
    material: Material,
    entries: Sequence[Entry],
    settings: Settings,
) -> dict[str, Any]:
    """The results: see the keys. Raises ThirdstreamError if nothing was measured."""
    everything = sorted(outcomes, key=lambda one: (one.job.item.style, one.job.item.key))
    faults = [{"path": str(one.job.item.path), "reason": one.fault}
              for one in everything if one.fault]  # fmt: skip
    tests = [one for one in everything if one.job.entries and one.rows]
    if not tests:
        reasons = "; ".join(one["reason"] for one in faults)
        raise ThirdstreamError(f"no recording could be measured: {reasons}")
    galleries = _galleries(everything)
    chances, tests = _chances(tests, galleries), _ranked(tests, galleries)
    references = {
        style: [one.rows[REFERENCE] for one in everything
                if REFERENCE in one.rows and one.job.item.style == style]
        for style in material.styles
    }  # fmt: skip
    return {
        **_method(material, settings),
        "systems": {one.name: _about(one) for one in entries},
        "hashes": _hashes(everything),
        "recordings": [{"name": one.job.item.path.name, "style": one.job.item.style,
                        "sha256": sha256(one.job.item.path)} for one in tests],
        "references": {style: len(rows) for style, rows in references.items()},
        "skipped": faults,
        "floors": {style: _floors(rows, settings) for style, rows in references.items()},
        "gallery": max(map(len, galleries.values()), default=0),
        "chance": {direction: chances[source]
                   for direction, source, _ in _directions(material) if source in chances},
        "scores": {
            one.name: {
                direction: scores | _cost_scores(costs.get(one.name))
                for direction, source, target in _directions(material)
                if (scores := _scores(_rows_of(one, tests, source), references[target], settings))
            }
            for one in entries
        },
        "costs": {name: cost._asdict() for name, cost in costs.items()},
        "examples": [_example(one) for one in tests if one.job.keep_sound],
    }  # fmt: skip


def _method(material: Material, settings: Settings) -> dict[str, Any]:
    """With what it was measured, and what the measures are."""
    models = models_of(settings)
    return {
        "version": VERSION,
        "corpus": material.name,
        "settings": asdict(settings),
        "versions": versions(),
        "torch_threads": torch.get_num_threads(),
        "evaluation_models": models.about(),
        "left_out": models.left_out(material.styles),
        "styles": list(material.styles),
        "metrics": {name: metric._asdict() for name, metric in METRICS.items()},
    }


def _directions(material: Material) -> list[tuple[str, str, str]]:
    """Both: name, source and target."""
    both = material.styles, material.styles[::-1]
    return [(f"{source}_to_{target}", source, target) for source, target in both]


def _rows_of(entry: Entry, tests: Sequence[Outcome], source: str) -> dict[Item, Row]:
    """What was measured of a system on the recordings of one style."""
    return {one.job.item: one.rows[entry.name] for one in tests if one.job.item.style == source}


def _hashes(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """SHA-256 of what the results depend on: code, voice, weights, and all recordings by use.

    Checkpoints of models are with `systems`, networks that measure with `evaluation_models`.
    """
    uses = {"recordings": [], "references": [], GALLERY: []}
    for one in outcomes:
        if one.rows:
            other = GALLERY if GALLERY in one.rows else "references"
            uses["recordings" if one.job.entries else other].append(one.job.item.path)
    files = {
        use: new_sha256("".join(sorted(map(sha256, paths))).encode()).hexdigest()
        for use, paths in uses.items()
        if paths
    }
    return {"code": code_digest(), "weights": weights_digest(), "voice": sha256(ORCHESTRA)} | files


def _galleries(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """By each test recording's key, the chroma of the originals it is looked for among, by theirs.

    All that are tested, all references and the rest of the gallery, of both styles, but for other
    versions of its piece, which would be right, and for what is too short to be one: a few chords
    are found in most recordings.
    """
    tests = [(one.job.item, one.rows[COPY_CONTENT]["chroma"])
             for one in outcomes if COPY_CONTENT in one.rows]  # fmt: skip
    others = [(one.job.item, one.rows[use]["chroma"])
              for use in (REFERENCE, GALLERY) for one in outcomes if use in one.rows]  # fmt: skip
    return {
        own.key: {own.key: chroma} | {other.key: found for other, found in tests + others
                                      if other.piece != own.piece
                                      and len(found) >= retrieval.MIN_OVERLAP * len(chroma)}
        for own, chroma in tests
    }  # fmt: skip


def _ranked(tests: Sequence[Outcome], galleries: Mapping[str, Mapping[str, Any]]) -> list[Outcome]:
    """With the place of the original in cover retrieval in every row."""

    def ranked(row: Row, key: str) -> dict[str, Any]:
        place = retrieval.rank(key, row["chroma"], galleries[key])
        return {**row, "cover_mrr": 1 / place, "cover_hit_at_1": float(place == 1)}

    return [
        one._replace(rows={name: ranked(row, key) for name, row in one.rows.items()})
        if (key := one.job.item.key) in galleries else one
        for one in tests
    ]  # fmt: skip


def _chances(
    tests: Sequence[Outcome], galleries: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    """What cover retrieval scores where ranks are drawn, by the originals' style."""
    chances = {}
    for style in {one.job.item.style for one in tests}:
        sizes = [len(galleries[one.job.item.key]) for one in tests
                 if one.job.item.style == style and one.job.item.key in galleries]  # fmt: skip
        if sizes:
            chances[style] = {
                "cover_mrr": float(np.mean([retrieval.chance(size) for size in sizes])),
                "cover_hit_at_1": float(np.mean([1 / size for size in sizes])),
            }
    return chances


def _about(entry: Entry) -> dict[str, Any]:
    if not entry.model:
        return {"kind": "baseline"}
    return {
        "kind": "model",
        "model": entry.name.partition("+")[0] if entry.options else entry.name,
        "options": dict(entry.options),
        "sha256": entry.sha256,
        "parts": list(entry.parts),
        "parameters": loaded(entry.model).n_parameters(),
        "training_s": loaded(entry.model).training_s(),
    }


def _scores(
    tests: Mapping[Item, Row], references: Sequence[Row], settings: Settings
) -> dict[str, Any]:
    """metric -> mean, interval and n in one direction; of sets the value alone."""
    if not tests:
        return {}
    pieces, rows = [item.piece for item in tests], list(tests.values())

    def interval(key: str) -> metrics.Interval:
        there = [(piece, row[key]) for piece, row in zip(pieces, rows, strict=True) if key in row]
        own, measured = zip(*there, strict=True)
        if key in BINARY_METRICS:
            return metrics.proportion(measured, pieces=own)
        return metrics.bootstrap(measured, seed=settings.seed, pieces=own)

    values = {key: interval(key) for key in METRICS if any(key in row for row in rows)}
    if references:
        real, made = _vectors(references), _vectors(rows)
        for key, reference in real.items():
            distances = metrics.timbre_distances(reference=reference, estimate=made[key])
            values[key] = metrics.bootstrap(distances, seed=settings.seed, pieces=pieces)
    return {key: one._asdict() for key, one in values.items()} | _set_distances(rows, references)


def _set_distances(rows: Sequence[Row], references: Sequence[Row]) -> dict[str, Any]:
    """KAD and FAD over all patches of all recordings; none of fewer than two patches."""
    first, second = _patches(references), _patches(rows)
    if min(len(first), len(second)) < 2:
        return {}
    kad = metrics.kernel_audio_distance(reference=first, estimate=second)
    fad = metrics.frechet_audio_distance(reference=first, estimate=second)
    return {"kad": {"mean": kad, "n": len(rows)}, "fad": {"mean": fad, "n": len(rows)}}


def _patches(rows: Sequence[Row]) -> np.ndarray:
    return np.array([patch for row in rows for patch in row["embeddings"]], np.float64)


def _vectors(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """metric -> of each recording the vector, whose distance to the target's mean it is.

    Third octaves so that the Euclidean distance of two is the RMS of their differences, dB.
    """
    timbres, octaves = (
        np.array([row[key] for row in rows], np.float64) for key in ("timbre", "third_octaves")
    )
    balances = octaves / np.sqrt(octaves.shape[1])
    return {"timbre_distance_mfcc": timbres, "spectral_balance_db": balances}


def _cost_scores(cost: Cost | None) -> dict[str, dict[str, float]]:
    if cost is None:
        return {}
    found = {"speed_audio_s_per_s": {"mean": cost.audio_s / cost.seconds, "n": 1}}
    if cost.peak_memory_mb is not None:
        found["peak_memory_mb"] = {"mean": cost.peak_memory_mb, "n": 1}
    return found


def _floors(rows: Sequence[Row], settings: Settings) -> dict[str, float]:
    """What the references score against themselves."""
    floors: dict[str, float] = {}
    if len(rows) >= 2:
        floors |= {key: metrics.timbre_floor(one) for key, one in _vectors(rows).items()}
    if len(rows) >= 4:  # two recordings a half, so that no half is a single patch
        groups = [row["embeddings"] for row in rows]
        floors |= metrics.reference_floor(groups, seed=settings.seed)._asdict()
    return floors


def _example(one: Outcome) -> dict[str, Any]:
    """What the page plays: paths below the work folder, and each system's own scores."""
    return {
        "name": one.job.item.path.stem,
        "style": one.job.item.style,
        "to": one.job.target,
        "original": f"audio/{ORIGINAL}-{one.job.item.key}.mp3",
        "systems": {
            name: {key: row[key] for key in ("sound", *METRICS) if key in row}
            for name, row in one.rows.items()
        },
    }
