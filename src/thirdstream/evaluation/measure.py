"""Everything that is measured of one excerpt: by itself, against its original, of its system.

The keys of what comes out are the names in METRICS, with their units; `embeddings` and `timbre`
ride along for the comparison of sets. A judge that is not installed leaves its metrics out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from thirdstream import audio
from thirdstream.audio import SEGMENT, SR, Wave
from thirdstream.evaluation import metrics
from thirdstream.evaluation.judges import (
    STYLE_TAGS,
    Heard,
    Tagger,
    accepted,
)
from thirdstream.evaluation.metrics import Notes
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
    "beat_f_measure": Metric("content", "higher", "the same beats for librosa's tracker, 0 to 1"),
    "pitch_jaccard_distance": Metric("content", "lower", "difference of sounding pitches, 0 to 1"),
    "note_precision": Metric("content", "higher", "share of its notes that the original has"),
    "note_recall": Metric("content", "higher", "share of the original's notes that it has"),
    "note_f1": Metric("content", "higher", "both of them"),
    "true_note_f1": Metric("content", "higher", "the same against the notes the original plays"),
    "melody_recall": Metric("content", "higher", "share of the score's melody that is heard in it"),
    "accepted_share": Metric("style", "higher", "heard as the target style by the tagger"),
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
    "clipping_share": Metric("sound", "lower", "samples at the limiter's ceiling or above, 0 to 1"),
    "dc_offset": Metric("sound", "", "mean of the samples, full scale 1"),
    "silence_share": Metric("sound", "", "frames below -60 dB, 0 to 1"),
    "speed_audio_s_per_s": Metric("cost", "higher", "seconds of audio a second, file to file"),
    "peak_memory_mb": Metric("cost", "lower", "largest resident memory of that, in MB"),
}
TAG_METRICS = ("accepted_share", "target_tag", "source_tag", "tag_difference")
YES_OR_NO = ("accepted_share",)  # of one recording either 0 or 1
SET_METRICS = ("kad", "fad")
NOTE_METRICS = (
    "pitch_jaccard_distance",
    "note_precision",
    "note_recall",
    "note_f1",
    "true_note_f1",
    "melody_recall",
)


class Truth(NamedTuple):
    """What a rendered recording plays, in seconds of its excerpt: the sheet's melody, and all notes
    that have a pitch."""

    melody: Notes
    notes: Notes


@dataclass(frozen=True)
class Judges:
    """The judges that are here, and why the others are not."""

    tagger: Tagger | None
    transcriber: BasicPitch | None
    missing: Mapping[str, str]

    def about(self) -> dict[str, dict[str, str]]:
        """Packages and weights of those that are here, for the results."""
        here = {"tagger": self.tagger, "transcriber": self.transcriber}
        return {name: judge.about() for name, judge in here.items() if judge is not None}

    def left_out(self, styles: tuple[str, str]) -> dict[str, str]:
        """Metric -> why it cannot be measured here."""
        reasons: dict[str, str] = {}
        if self.tagger is None:
            reasons |= dict.fromkeys((*TAG_METRICS, *SET_METRICS), self.missing["tagger"])
        elif unknown := [style for style in styles if style not in STYLE_TAGS]:
            reason = f"the tagger has no tag for the style {unknown[0]}"
            reasons |= dict.fromkeys(TAG_METRICS, reason)
        if self.transcriber is None:
            reasons |= dict.fromkeys(NOTE_METRICS, self.missing["transcriber"])
        return reasons


@lru_cache(maxsize=1)
def judges() -> Judges:
    """The judges installed here, one set a process."""
    found: dict[str, Any] = {}
    missing = {}
    for name, kind in (("tagger", Tagger), ("transcriber", BasicPitch)):
        try:
            found[name] = kind()
        except MissingPackage as error:
            missing[name] = str(error)
    return Judges(found.get("tagger"), found.get("transcriber"), missing)


class Analysis(NamedTuple):
    """What is heard in one wave; None where the judge is missing."""

    wave: Wave
    beats: metrics.Array
    heard: Heard | None
    posteriors: Posteriors | None


def analysed(wave: Wave, ears: Judges) -> Analysis:
    """Listen to a mono wave (n_samples,) of 44.1 kHz."""
    return Analysis(
        wave,
        metrics.beat_times(wave, SR),
        ears.tagger.listen(wave, SR) if ears.tagger else None,
        ears.transcriber.listen(wave, SR) if ears.transcriber else None,
    )


def listened(wave: Wave, ears: Judges) -> dict[str, Any]:
    """What a comparison of sets needs of one recording: timbre, and embeddings if there are."""
    heard = ears.tagger.listen(wave, SR) if ears.tagger else None
    return {"timbre": _rounded(metrics.timbre(wave, SR))} | _embeddings(heard)


def compared(
    *, original: Analysis, made: Analysis, source: str, target: str, truth: Truth | None = None
) -> dict[str, Any]:
    """Content, style and sound of `made`, which should be `original` in the style `target`.

    truth: what the original plays, if that is known.
    """
    row: dict[str, Any] = {
        "chroma_cosine": metrics.chroma_cosine(reference=original.wave, estimate=made.wave, sr=SR),
        "beat_f_measure": metrics.beat_f_measure(reference=original.beats, estimate=made.beats),
        "clipping_share": metrics.clipping_share(made.wave),
        "dc_offset": metrics.dc_offset(made.wave),
        "silence_share": metrics.silence_share(made.wave, SR),
        "timbre": _rounded(metrics.timbre(made.wave, SR)),
    }
    if original.posteriors and made.posteriors:
        row |= _notes(original=original.posteriors, made=made.posteriors)
    if truth and made.posteriors:
        row |= _true_notes(truth, _heard_notes(made.posteriors))
    if made.heard and {source, target} <= STYLE_TAGS.keys():
        ours, theirs = made.heard.style(target), made.heard.style(source)
        row |= {
            "accepted_share": float(accepted(target=ours, other=theirs)),
            "target_tag": ours,
            "source_tag": theirs,
            "tag_difference": ours - theirs,
        }
    return row | _embeddings(made.heard)


def _notes(*, original: Posteriors, made: Posteriors) -> dict[str, float]:
    reference, estimate = _heard_notes(original), _heard_notes(made)
    scores = metrics.note_scores(reference=reference, estimate=estimate)
    distance = metrics.pitch_jaccard_distance(reference=original.roll, estimate=made.roll)
    return {
        "pitch_jaccard_distance": distance,
        "note_precision": scores.precision,
        "note_recall": scores.recall,
        "note_f1": scores.f1,
    }


def _heard_notes(posteriors: Posteriors) -> Notes:
    found = notes_of(posteriors)
    return Notes(found.intervals, found.pitches)


def _true_notes(truth: Truth, heard: Notes) -> dict[str, float]:
    row = {"true_note_f1": metrics.note_scores(reference=truth.notes, estimate=heard).f1}
    if len(truth.melody.pitches):  # it may rest throughout an excerpt
        row["melody_recall"] = metrics.melody_recall(melody=truth.melody, estimate=heard)
    return row


def _embeddings(heard: Heard | None) -> dict[str, Any]:
    return {"embeddings": [_rounded(row) for row in heard.embeddings]} if heard else {}


def _rounded(values: Any) -> list[float]:
    """Enough digits for any distance, few enough for a small file."""
    return [round(float(value), 5) for value in values]


def rebuilt(*, original: Wave, made: Wave) -> dict[str, float]:
    """How near a self-reconstruction comes to its original."""
    return {
        "reconstruction_log_spectral_distance_db": metrics.log_spectral_distance_db(
            reference=original, estimate=made
        ),
        "reconstruction_multi_resolution_stft": metrics.multi_resolution_stft(
            reference=original, estimate=made
        ),
    }


def inside(
    system: System[Any], wave: Wave, *, source: str, target: str, seed: int
) -> dict[str, float]:
    """Eq. 1 and the synthesis' mel consistency, on segments from the middle of a wave at -20 dB.

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


def consistency(
    synthesiser: Synthesiser, log_mel: LogMel, *, asked: torch.Tensor, content: torch.Tensor
) -> float:
    """`metrics.mel_consistency` of a synthesis of mel power (batch, n_frames, n_mels)."""
    sound = synthesiser(asked, generator=torch.Generator().manual_seed(0), content=content)
    came = log_mel.power(sound)[:, : asked.shape[1]]
    return metrics.mel_consistency(reference=asked.numpy(), estimate=came.numpy())


@torch.inference_mode()
def resynthesised(wave: Wave) -> tuple[Wave, dict[str, float]]:
    """A wave through mel and synthesis without a transfer, and what that alone costs."""
    log_mel, synthesiser = LogMel(), Synthesiser()
    content = torch.from_numpy(wave)[None]
    power = log_mel.power(content)
    start = torch.Generator().manual_seed(0)
    sound = synthesiser(power, generator=start, content=content)[0, : len(wave)].numpy()
    sound = levelled(np.pad(sound, (0, len(wave) - len(sound))))
    missed = consistency(synthesiser, log_mel, asked=power, content=content)
    return sound, {"mel_consistency": missed} | rebuilt(original=wave, made=sound)


def levelled(wave: Wave) -> Wave:
    """A wave at -20 dB, peaks limited. Raises ThirdstreamError if it is silent."""
    level = audio.level_of([wave[None]])
    if level.silent:
        raise audio.AudioError(f"the excerpt is silent ({level.rms_db:.0f} dB); leave it out")
    louder = [wave[None] * np.float32(level.gain)]
    return np.concatenate(list(audio.limited(louder, ceiling=0.999)), axis=1)[0]
