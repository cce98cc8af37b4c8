"""Scores into sound in both styles."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import tyro

from thirdstream.cli.console import Failed, FilesBar, complain, progress_bar, say, tell
from thirdstream.cli.locks import writes_folder
from thirdstream.files import fault_of
from thirdstream.parallel import Workers
from thirdstream.transfer.files import plan

SOUND, HEARD = 0.6, 0.8  # of the time of `listen`: until notes, and until beats are found


@writes_folder
def arrange(
    scores: tuple[Path, ...],
    /,
    *,
    out: Path,
    seed: int = 0,
    workers: tyro.conf.OmitArgPrefixes[Workers] = Workers(),  # noqa: B008
    soundfont: tuple[Path, ...] = (),
    variants: int = 1,
    format: Literal["flac", "wav", "ogg", "mp3", "aiff"] = "flac",
) -> None:
    """Turn scores into pairs: the same piece in both styles, as sound and as MIDI.

    Example: thirdstream arrange scores --out pairs

    Both versions have one key and one tempo, and the same bars at the same moments. Run it again
    after an interruption or with more scores: what is done is not done again.

    Args:
        scores: lead sheets, or scores of any parts (MusicXML or MIDI), or folders of them; chords
            that are not named are found from the notes.
        out: folder of the pairs; pairs.json says how each was made.
        seed: of key, tempo, ensemble, groove, soundfont, room and microphone.
        workers: who does the work.
        soundfont: files from which each pair draws one; by default the orchestra that comes along.
        variants: pairs of each score, each in another setting.
        format: of the sound; WAV, FLAC and AIFF have 24 bits.
    """
    from thirdstream.data import pairs

    found = pairs.find_scores(scores)
    jobs = pairs.plan(found, seed=seed, variants=variants, soundfonts=soundfont, format=format)
    with workers.ready() as n_jobs:
        left = _left_out(pairs.make_pairs(jobs, out, n_jobs=n_jobs), n_pairs=len(jobs))
    n_made = len(found) - len(left)
    tell(f"{out} holds the pairs of {n_made} scores")
    if left:
        raise Failed(
            f"{len(left)} of {len(found)} scores could not be used; see {out / 'pairs.json'}"
        )


def _left_out(outcomes: Iterable[Any], *, n_pairs: int) -> set[Path]:
    """Go through what becomes of pairs, with a bar, and return the scores that were left out."""
    from thirdstream.data.pairs import Left

    left: set[Path] = set()
    remarked: set[Path] = set()
    with progress_bar() as bar:
        task = bar.add_task("arranging", total=n_pairs)
        for outcome in outcomes:
            bar.advance(task)
            if isinstance(outcome, Left) and outcome.path not in left:
                left.add(outcome.path)
                complain(f"skipped {outcome.path}: {outcome.reason}")
            elif not isinstance(outcome, Left) and outcome.path not in remarked:
                remarked.add(outcome.path)
                for remark in outcome.remarks:
                    say(f"{outcome.path}: {remark}")
    return left


@writes_folder
def benchmark(
    sheets: tuple[Path, ...],
    /,
    *,
    out: Path,
    splits: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test"),
    edition: Literal[1, 2] = 2,
    soundfonts: tuple[Path, ...] = (),
    workers: tyro.conf.OmitArgPrefixes[Workers] = Workers(),  # noqa: B008
) -> None:
    """Make the benchmark: fixed pieces in both styles, test pieces through another soundfont.

    Example: thirdstream benchmark OpenEWLD --out bench

    Systems are then measured with `thirdstream evaluate --corpus bench`. Run it again after an
    interruption: what is done is not done again.

    Args:
        sheets: a copy of the collection OpenEWLD (github.com/00sapo/OpenEWLD).
        out: folder of the benchmark; the manifests in it have the hash of every file.
        splits: which to make; systems are measured on `test`, and compared with the others as sets.
        edition: 2 has 32 test pieces, 1 the first 16 of them, all of its melodies first performed
            in 1930 or earlier.
        soundfonts: files of the benchmark's soundfonts, where they are not installed.
        workers: who does the work.
    """
    from thirdstream.data import benchmark as fixed

    jobs = fixed.plan(sheets, splits=splits, soundfonts=soundfonts, edition=edition)
    n_pairs = sum(map(len, jobs.values()))
    with workers.ready() as n_jobs:
        left = _left_out(fixed.make(jobs, out, n_jobs=n_jobs), n_pairs=n_pairs)
    tell(f"the benchmark is in {out}")
    if left:
        raise Failed(f"{len(left)} pieces could not be made; without them it is not the benchmark")


@writes_folder
def listen(
    recordings: tuple[Path, ...],
    /,
    *,
    out: Path,
    tempo: float | None = None,
    metre: str | None = None,
    start_bar: float | None = None,
    clicks: bool = False,
    force: bool = False,
) -> None:
    """Transcribe recordings: notes, lead sheet, piano roll.

    Example: thirdstream listen song.mp3 --out transcriptions

    Of each recording NAME.mid has all notes in its own tempo, NAME.musicxml melody and chords,
    NAME.png a picture of both, NAME.json beats, key, chords and melody, with how far each bar may
    be trusted. Bars have three, four, five or seven quarter notes, or two to four dotted ones,
    unless you say what the recording's have.

    Args:
        recordings: files, or folders that are searched for recordings.
        out: folder for the results.
        tempo: beats a minute, where you know them; the recording may sway around them. By default
            they are detected. A beat is a dotted note in 6/8, 9/8 and 12/8, else the metre's lower
            number.
        metre: of the recordings, such as 3/4, 6/8 or 7/8. By default three, four, five or seven
            quarter notes are detected, or 6/8, 9/8 or 12/8.
        start_bar: seconds in the recording at which a bar begins, any of them. By default bar lines
            are detected.
        clicks: write the recording with a click on each beat (NAME_clicks.flac) and with its chords
            on a piano (NAME_chords.flac) too, to check them by listening.
        force: replace results that exist.
    """
    from thirdstream.notes.transcription.known import Known
    from thirdstream.notes.transcription.transcribe import transcribe_file

    known = Known(tempo, metre, start_bar)
    pairs = plan(recordings, out, suffix="")
    threading.Thread(target=_import_writers, daemon=True).start()
    faults: list[str] = []
    with progress_bar() as bar:
        files = FilesBar(bar, "transcribing", len(pairs))
        for path, target in pairs:
            try:
                _check_free(target, clicks=clicks, force=force)
                found = transcribe_file(
                    path, known=known, progress=lambda share, p=path: files.show(p, SOUND * share)
                )
                files.show(path, HEARD, "writing")
                _write(path, found, target, clicks=clicks, force=force)
                files.done(path)
                say(f"{path} -> {target}.*")
            except Exception as error:  # whatever it is, the other recordings are transcribed
                faults.append(fault_of(path, error))
                if len(pairs) > 1:
                    complain(faults[-1])
    if faults:
        counted = f"{len(faults)} of {len(pairs)} recordings could not be transcribed"
        raise Failed(counted if len(pairs) > 1 else faults[0])


def _import_writers() -> None:
    """Import what writes a transcription, which takes a second, while the first one is made."""
    with suppress(Exception):  # it is explained where it is needed
        from thirdstream.notes.transcription import sheets

        for name in sheets.WRITERS:
            import_module(name)


def _check_free(target: Path, *, clicks: bool, force: bool) -> None:
    """Raise ThirdstreamError where a file that is to be written exists, without `force`."""
    from thirdstream.notes.transcription.places import check_paths, sheet_paths

    for paths_of in (check_paths, sheet_paths) if clicks else (sheet_paths,):
        paths_of(target.parent, target.name, force=force)


def _write(recording: Path, found: Any, target: Path, *, clicks: bool, force: bool) -> None:
    """All files of a transcription."""
    from thirdstream.notes.transcription.sheets import write_sheets

    write_sheets(found, target.parent, target.name, force=force)
    if clicks:
        from thirdstream.notes.click_track import write_checks  # it plays: 0.2 s

        write_checks(recording, found, target.parent, target.name, force=force)
