"""Everything that is measured of one excerpt: by itself, against its original, of its system.

The keys of what comes out are the names in METRICS, with their units; `embeddings` and `timbre` are
for the distances between sets, `chroma` for cover retrieval among all recordings. Without the
transcriber's package its metrics are left out.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import SEGMENT, SR, Wave
from thirdstream.evaluation import classifiers, metrics, musicality, retrieval, sound, timing
from thirdstream.evaluation.classifiers import DEFAULT, StyleClassifiers
from thirdstream.evaluation.harmony import (
    Chords,
    LvChordia,
    chord_scores,
    key_of_chroma,
    key_score,
    without_empty,
)
from thirdstream.evaluation.metrics import Notes
from thirdstream.evaluation.pitch import SwiftF0, Track, melody_scores
from thirdstream.evaluation.tagger import (
    EMBEDDING,
    STYLE_TAGS,
    Tagger,
    TaggerOutput,
    is_target_style,
)
from thirdstream.evaluation.transcriber import BasicPitch
from thirdstream.mel.features.logmel import LogMel
from thirdstream.mel.vocoder.synthesis import Synthesiser
from thirdstream.notes.transcription.note_events import notes_of
from thirdstream.notes.transcription.transcriber import Posteriors
from thirdstream.packages import MissingPackage
from thirdstream.system import System

N_MEL_SEGMENTS = 4  # of an excerpt, for what is measured inside a mel system


class Metric(NamedTuple):
    """better: "higher", "lower", or "" where neither is. about: one line for people."""

    group: str
    better: str
    about: str


METRICS = {
    "chroma_cosine": Metric("content", "higher", "harmony kept, frame by frame, 0 to 1"),
    "pitch_jaccard_distance": Metric("content", "lower", "difference of sounding pitches, 0 to 1"),
    "note_precision": Metric("content", "higher", "share of its notes that the original has"),
    "note_recall": Metric("content", "higher", "share of the original's notes that it has"),
    "note_f1": Metric("content", "higher", "both of them"),
    "true_note_f1": Metric("content", "higher", "the same against the notes the original plays"),
    "melody_recall": Metric("content", "higher", "share of the score's melody that is found in it"),
    "melody_rpa": Metric("content", "higher", "raw pitch accuracy of the melody (SwiftF0), 0 to 1"),
    "melody_rca": Metric("content", "higher", "raw chroma accuracy: the same in any octave"),
    "melody_oa": Metric("content", "higher", "overall accuracy: rests count too"),
    "chord_root": Metric("content", "higher", "share of time with its chord's root, 0 to 1"),
    "chord_majmin": Metric("content", "higher", "the same with its major or minor triad"),
    "true_chord_root": Metric("content", "higher", "the same against the score: root"),
    "true_chord_majmin": Metric("content", "higher", "against the score: major or minor triad"),
    "key_score": Metric("content", "higher", "its key: 1, a fifth .5, relative .3, parallel .2"),
    "cover_mrr": Metric("content", "higher", "cover retrieval: 1 / rank of its original, 0 to 1"),
    "cover_hit_at_1": Metric("content", "higher", "share of results whose original ranks first"),
    "drift_ms": Metric("rhythm", "lower", "how its lag changes from start to end, ms"),
    "bars_kept": Metric("rhythm", "higher", "share of the score's bar lines in place, 0 to 1"),
    "tempo_kept": Metric("rhythm", "higher", "share with the original's tempo, its half or double"),
    "beat_f_measure": Metric("rhythm", "higher", "the same beats for librosa's tracker, 0 to 1"),
    "target_style_rate": Metric(
        "style", "higher", "target-style classification rate of the tagger, 0 to 1"
    ),
    "target_style_rate_vgg": Metric("style", "higher", "the same by two VGG networks, 0 to 1"),
    "target_style_rate_big": Metric("style", "higher", "the same by musicnn's large network"),
    "target_style_rate_probe": Metric("style", "higher", "the same by a probe of real recordings"),
    "agreement": Metric("style", "", "share of pairs of classifiers that say the same, 0 to 1"),
    "target_tag": Metric("style", "higher", "the tagger's value for the target style, 0 to 1"),
    "source_tag": Metric("style", "lower", "the tagger's value for the original's style, 0 to 1"),
    "tag_difference": Metric("style", "higher", "target tag less source tag, -1 to 1"),
    "timbre_distance_mfcc": Metric(
        "style", "", "MFCC distance to the target's average (see its floor)"
    ),
    "kad": Metric("sets", "lower", "distance to the target's recordings (see its floor)"),
    "fad": Metric("sets", "lower", "the same by Gaussians; too large for small sets"),
    "eq1_mel_error": Metric("sound", "lower", "eq. 1: self-reconstruction of normalised mels"),
    "mel_consistency": Metric("sound", "lower", "how far the synthesis misses its mel"),
    "reconstruction_log_spectral_distance_db": Metric("sound", "lower", "self-reconstruction, dB"),
    "reconstruction_multi_resolution_stft": Metric("sound", "lower", "self-reconstruction"),
    "spectral_balance_db": Metric(
        "sound", "lower", "third octaves off the target's average, dB (see its floor)"
    ),
    "loudness_range_lu": Metric("sound", "", "loudness range (EBU Tech 3342), LU"),
    "noise_floor_db": Metric("sound", "lower", "noise between notes, below the whole, dB"),
    "attack_ms": Metric("sound", "", "median attack: rise from 10 % to 90 %, ms"),
    "clipping_share": Metric("sound", "lower", "samples at the limiter's ceiling or above, 0 to 1"),
    "dc_offset": Metric("sound", "", "mean of the samples, full scale 1"),
    "silence_share": Metric("sound", "", "frames below -60 dB, 0 to 1"),
    "large_leap_share": Metric("musicality", "", "melody's intervals beyond a fifth, 0 to 1"),
    "repetition": Metric("musicality", "", "motifs of the melody that come again, 0 to 1"),
    "beat_dissonance": Metric("musicality", "", "dissonant pairs of notes on beats, 0 to 1"),
    "speed_audio_s_per_s": Metric("cost", "higher", "seconds of audio a second, file to file"),
    "peak_memory_mb": Metric("cost", "lower", "largest resident memory of that, in MB"),
}
TAG_METRICS = ("target_style_rate", "target_style_rate_vgg", "agreement", "target_tag",
               "source_tag", "tag_difference")  # fmt: skip
RATES = ("target_style_rate", *(f"target_style_rate_{name}" for name in ("vgg", "big", "probe")))
BINARY_METRICS = (*RATES, "cover_hit_at_1", "tempo_kept")  # of one recording either 0 or 1
MELODY_METRICS = ("melody_rpa", "melody_rca", "melody_oa")
CHORD_METRICS = ("chord_root", "chord_majmin", "true_chord_root", "true_chord_majmin")
NOTE_METRICS = (
    "pitch_jaccard_distance",
    "note_precision",
    "note_recall",
    "note_f1",
    "true_note_f1",
    "melody_recall",
    "large_leap_share",
    "repetition",
    "beat_dissonance",
)
OPTIONAL: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "transcriber": (BasicPitch, NOTE_METRICS),
    "pitch": (SwiftF0, MELODY_METRICS),
    "chords": (LvChordia, CHORD_METRICS),
}  # networks of packages that may be missing, and what each measures
NO_CHORDS = without_empty([], [])


class Truth(NamedTuple):
    """The notes of a rendered recording, in seconds of its excerpt: the sheet's melody, and all
    notes that have a pitch. bars_s: the sheet's bar lines (n_lines,). chords: the sheet's."""

    melody: Notes
    notes: Notes
    bars_s: metrics.Array = np.zeros(0)
    chords: Chords = NO_CHORDS


@dataclass(frozen=True)
class EvaluationModels:
    """The published networks that measure. Nothing is trained against them.

    transcriber, pitch, chords: None where a package is not installed; `missing` says by their names
    what to do then. classifiers: further ones of style, if they are asked.
    """

    tagger: Tagger
    transcriber: BasicPitch | None = None
    pitch: SwiftF0 | None = None
    chords: LvChordia | None = None
    classifiers: StyleClassifiers | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    def having(self, files: Sequence[str]) -> "EvaluationModels":
        """With the classifiers of these files too. Raises ThirdstreamError if one is missing."""
        return replace(self, classifiers=classifiers.read(files)) if files else self

    def about(self) -> dict[str, dict[str, str]]:
        """Packages and weights, for the results."""
        found = {"tagger": self.tagger, "transcriber": self.transcriber, "pitch": self.pitch,
                 "chords": self.chords}  # fmt: skip
        further = self.classifiers.about() if self.classifiers else {}
        return {name: one.about() for name, one in found.items() if one} | further

    def left_out(self, styles: tuple[str, str]) -> dict[str, str]:
        """Metric -> why it cannot be measured here."""
        reasons: dict[str, str] = {}
        if unknown := [style for style in styles if style not in STYLE_TAGS]:
            reason = f"the tagger has no tag for the style {unknown[0]}"
            reasons |= dict.fromkeys(TAG_METRICS, reason)
        for name, reason in self.missing.items():
            reasons |= dict.fromkeys(OPTIONAL[name][1], reason)
        return reasons


@lru_cache(maxsize=1)
def evaluation_models() -> EvaluationModels:
    """Those that are installed here, one set a process."""
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, (kind, _) in OPTIONAL.items():
        try:
            found[name] = kind()
        except MissingPackage as error:
            missing[name] = str(error)
    return EvaluationModels(Tagger(), **found, classifiers=classifiers.read(), missing=missing)


class Transcribed(NamedTuple):
    """What the transcriber says of one wave: which pitches sound, a frame at a time, and notes."""

    roll: NDArray[np.bool_]
    notes: Notes

    @classmethod
    def of(cls, posteriors: Posteriors) -> "Transcribed":
        found = notes_of(posteriors)
        return cls(posteriors.roll, Notes(found.intervals, found.pitches))


class Analysis(NamedTuple):
    """What comparisons need of one wave; transcribed, melody and chords are None without their
    network.

    styles: of each further classifier, its value of each style. alone: how it sounds, as a row has
    it, with timbre and spectrum.
    """

    wave: Wave
    beats: metrics.Array
    tagged: TaggerOutput
    transcribed: Transcribed | None
    chroma: metrics.Chroma
    melody: Track | None = None
    chords: Chords | None = None
    styles: Mapping[str, classifiers.Values] = {}
    alone: Mapping[str, Any] = {}


def analyse(wave: Wave, models: EvaluationModels) -> Analysis:
    """Beats, tags and notes of a mono wave (n_samples,) of 44.1 kHz."""
    return Analysis(
        wave,
        metrics.beat_times(wave, SR),
        models.tagger.predict(wave, SR),
        Transcribed.of(models.transcriber.predict(wave, SR)) if models.transcriber else None,
        metrics.chroma(wave, SR),
        models.pitch.predict(wave, SR) if models.pitch else None,
        models.chords.predict(wave, SR) if models.chords else None,
        models.classifiers.predict(wave, SR) if models.classifiers else {},
        _sound_metrics(wave) | _timbre_and_spectrum(wave),
    )


def reference_features(wave: Wave, models: EvaluationModels) -> dict[str, Any]:
    """What distances between sets and cover retrieval need of a recording, and no more."""
    return _timbre_and_spectrum(wave) | {
        "embeddings": embeddings_of(models.tagger.predict(wave, SR, networks=(EMBEDDING,))),
        "chroma": chroma_of(metrics.chroma(wave, SR)),
    }


def features_of(found: Analysis) -> dict[str, Any]:
    """The same of what has been analysed."""
    return {
        **{key: found.alone[key] for key in ("timbre", "third_octaves")},
        "embeddings": embeddings_of(found.tagged),
        "chroma": chroma_of(found.chroma),
    }


def embeddings_of(tagged: TaggerOutput) -> list[list[float]]:
    """Of each patch, for the distances between sets."""
    return [_rounded(row) for row in tagged.embeddings]


def _timbre_and_spectrum(wave: Wave) -> dict[str, list[float]]:
    return {
        "timbre": _rounded(metrics.timbre(wave, SR)),
        "third_octaves": _rounded(sound.third_octaves_db(wave, SR)),
    }


def chroma_of(chroma: metrics.Chroma) -> list[list[float]]:
    """What cover retrieval needs of one recording."""
    return [_rounded(frame) for frame in retrieval.pooled_chroma(chroma)]


def compare(
    *, original: Analysis, output: Analysis, source: str, target: str, truth: Truth | None = None
) -> dict[str, Any]:
    """Content, style and sound of `output`, which should be `original` in the style `target`.

    truth: the notes of the original, if they are known.
    """
    row: dict[str, Any] = {
        **output.alone,
        **features_of(output),
        "chroma_cosine": metrics.cosine_of(reference=original.chroma, estimate=output.chroma),
        "beat_f_measure": metrics.beat_f_measure(reference=original.beats, estimate=output.beats),
        "tempo_kept": timing.tempo_kept(reference=original.beats, estimate=output.beats),
        "key_score": key_score(
            reference=key_of_chroma(original.chroma), estimate=key_of_chroma(output.chroma)
        ),
    }
    row |= chord_metrics(original.chords, output.chords, truth)
    if len(output.wave) >= timing.LEAST_S * SR:
        found = timing.drift(reference=original.wave, estimate=output.wave, sr=SR)
        row["drift_ms"] = abs(found.drift_ms)
    if truth and len(truth.bars_s) > 1:
        kept = timing.bar_lines_kept(
            melody=truth.melody, bars_s=truth.bars_s, wave=output.wave, sr=SR
        )
        row |= {"bars_kept": float(kept.mean())} if len(kept) else {}
    if original.transcribed and output.transcribed:
        row |= _note_metrics(
            reference=original.transcribed, estimate=output.transcribed, truth=truth
        )
        row |= _musicality(output.transcribed.notes, output.beats)
    if original.melody and output.melody and original.melody.leads:
        kept = melody_scores(reference=original.melody, estimate=output.melody)
        row |= zip(MELODY_METRICS, kept, strict=True)
    return row | _style_metrics(output, source=source, target=target)


def _style_metrics(output: Analysis, *, source: str, target: str) -> dict[str, float]:
    """By the tagger where it knows both styles, and by the further classifiers that were asked."""
    row: dict[str, float] = {}
    if {source, target} <= STYLE_TAGS.keys():
        ours, theirs = output.tagged.style(target), output.tagged.style(source)
        row |= {
            "target_style_rate": float(is_target_style(target=ours, other=theirs)),
            "target_tag": ours,
            "source_tag": theirs,
            "tag_difference": ours - theirs,
        }
    if output.styles:
        known = {DEFAULT: output.tagged.styles(), **output.styles}
        row |= classifiers.style_scores(known, source=source, target=target)
    return row


def _sound_metrics(wave: Wave) -> dict[str, float]:
    row = {
        "noise_floor_db": sound.noise_floor_db(wave, SR),
        "clipping_share": metrics.clipping_share(wave),
        "dc_offset": metrics.dc_offset(wave),
        "silence_share": metrics.silence_share(wave, SR),
    }
    if len(wave) >= sound.BLOCK_S * SR:
        row["loudness_range_lu"] = sound.loudness_range_lu(wave, SR)
    attack = sound.attack_ms(wave, SR)
    return row if attack is None else row | {"attack_ms": attack}


def chord_metrics(
    original: Chords | None, output: Chords | None, truth: Truth | None
) -> dict[str, float]:
    """Against the original's chords as they are heard, and against the sheet's, as far as there
    are some."""
    row: dict[str, float] = {}
    references = (("", original), ("true_", truth.chords if truth else None))
    for kind, reference in references:
        if output is not None and reference is not None and reference.sound:
            scores = chord_scores(reference=reference, estimate=output)._asdict()
            row |= {f"{kind}chord_{name}": value
                    for name, value in scores.items() if value is not None}  # fmt: skip
    return row


def _musicality(notes: Notes, beats: metrics.Array) -> dict[str, float]:
    """Of the notes that are heard; what they are too few for is left out."""
    values = {
        "large_leap_share": musicality.large_leap_share(notes),
        "repetition": musicality.repetition(notes),
        "beat_dissonance": musicality.beat_dissonance(notes, beats),
    }
    return {name: value for name, value in values.items() if value is not None}


def _note_metrics(
    *, reference: Transcribed, estimate: Transcribed, truth: Truth | None
) -> dict[str, float]:
    notes = estimate.notes
    scores = metrics.note_scores(reference=reference.notes, estimate=notes)
    row = {
        "pitch_jaccard_distance": metrics.pitch_jaccard_distance(
            reference=reference.roll, estimate=estimate.roll
        ),
        "note_precision": scores.precision,
        "note_recall": scores.recall,
        "note_f1": scores.f1,
    }
    if truth:
        row["true_note_f1"] = metrics.note_scores(reference=truth.notes, estimate=notes).f1
    if truth and len(truth.melody.pitches):  # it may rest throughout an excerpt
        row["melody_recall"] = metrics.melody_recall(melody=truth.melody, estimate=notes)
    return row


def _rounded(values: Any) -> list[float]:
    """Enough digits for any distance, few enough for a small file."""
    return [round(float(value), 5) for value in values]


def reconstruction_metrics(*, original: Wave, output: Wave) -> dict[str, float]:
    """How near a self-reconstruction comes to its original."""
    both = {"reference": original, "estimate": output}
    return {
        "reconstruction_log_spectral_distance_db": metrics.log_spectral_distance_db(**both),
        "reconstruction_multi_resolution_stft": metrics.multi_resolution_stft(**both),
    }


def mel_metrics(
    system: System[Any], wave: Wave, *, source: str, target: str, seed: int
) -> dict[str, float]:
    """Eq. 1 and the vocoder's mel consistency, on segments from the middle of a wave at -20 dB.

    Empty for a system without mels.
    """
    segments = np.concatenate(list(audio.windows([wave[None]], size=SEGMENT, hop=SEGMENT)))
    first = max(0, (len(segments) - N_MEL_SEGMENTS) // 2)
    found = system.trace(
        segments[first : first + N_MEL_SEGMENTS], source=source, target=target, seed=seed
    )
    if found is None:
        return {}
    return {
        "eq1_mel_error": metrics.mel_error(reference=found.mel, estimate=found.reconstruction),
        "mel_consistency": metrics.mel_consistency(
            reference=found.requested, estimate=found.achieved
        ),
    }


@torch.inference_mode()
def resynthesise(wave: Wave) -> tuple[Wave, dict[str, float]]:
    """A wave through mel and vocoder without a transfer, and what that alone costs."""
    log_mel, synthesiser = LogMel(), Synthesiser()
    content = torch.from_numpy(wave)[None]
    power = log_mel.power(content)
    start = torch.Generator().manual_seed(0)
    sound = synthesiser(power, generator=start, content=content)
    missed = metrics.mel_consistency(
        reference=power.numpy(), estimate=log_mel.power(sound)[:, : power.shape[1]].numpy()
    )
    output = sound[0, : len(wave)].numpy()
    output = normalise_level(np.pad(output, (0, len(wave) - len(output))))
    return output, {"mel_consistency": missed} | reconstruction_metrics(
        original=wave, output=output
    )


def white_noise(n_samples: int, *, seed: str) -> Wave:
    """Noise at -20 dB: it has no piece, no style and no beat."""
    digits = hashlib.sha256(seed.encode(errors="surrogateescape")).digest()[:8]
    noise = np.random.default_rng(int.from_bytes(digits)).standard_normal(n_samples)
    return normalise_level(noise.astype(np.float32))


def normalise_level(wave: Wave) -> Wave:
    """A wave at -20 dB, peaks limited. Raises ThirdstreamError if it is silent."""
    level = audio.level_of([wave[None]])
    if level.silent:
        raise audio.AudioError(f"the excerpt is silent ({level.rms_db:.0f} dB); leave it out")
    louder = [wave[None] * np.float32(level.gain)]
    return np.concatenate(list(audio.limited(louder, ceiling=0.999)), axis=1)[0]
