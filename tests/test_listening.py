"""A listening test: what its sounds are, what its page does not tell, what answers come to."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile as sf
from pytest import approx

from conftest import STYLES, music, tone
from listeners import N_SAMPLES, compared, made_in, rated, written
from test_cli import run
from test_report import GONE, ODD, Balance, _places, _with
from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.files import ThirdstreamError, write_json
from thirdstream.listening import making, report, sounds, summary
from thirdstream.listening.answers import read_answers
from thirdstream.listening.design import (
    ANCHOR,
    HIDDEN,
    KEY,
    OTHER,
    QUESTIONS,
    REFERENCE,
    Settings,
    read_key,
)

SYSTEMS = {"one", "two", "three"}


@pytest.fixture(scope="module")
def rating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in(tmp_path_factory.mktemp("rating"), per_screen=2)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in(tmp_path_factory.mktemp("pairs"), kind="ab")


def wave_of(test: Path, code: str) -> np.ndarray:
    wave, sr = sf.read(test / "page" / "audio" / f"{code}.mp3")
    assert sr == SR
    return wave


# --- sounds -------------------------------------------------------------------------------------


def test_every_recording_has_all_systems_and_hidden_sounds_and_all_are_equally_loud(
    rating: Path,
) -> None:
    key = read_key(rating)
    assert {(one.style, one.to) for one in key.items} == {STYLES, STYLES[::-1]}
    meter, expected = pyloudnorm.Meter(SR), set()
    for item in key.items:
        assert sorted(item.sounds.values()) == sorted(SYSTEMS | set(HIDDEN))
        for code in (item.code, *item.sounds):
            expected.add(f"{code}.mp3")
            loudness = meter.integrated_loudness(wave_of(rating, code))
            assert loudness == approx(sounds.LOUDNESS_LUFS, abs=0.3)
    kept = {path.name for path in (rating / "page" / "audio").iterdir()}
    assert expected < kept and len(kept - expected) == 3  # those of the training


def test_hidden_sounds_are_what_they_are_called(rating: Path) -> None:
    key = read_key(rating)
    titles = {one.code: one for one in key.items}
    for item in key.items:
        by_name = {name: wave_of(rating, code) for code, name in item.sounds.items()}
        original = wave_of(rating, item.code)
        assert by_name[REFERENCE] == approx(original)
        other = next(
            one for code, one in titles.items()
            if np.allclose(wave_of(rating, code), by_name[OTHER], atol=1e-4)
        )  # fmt: skip
        assert other.style == item.to and other.title != item.title


@pytest.mark.parametrize(("hz", "kept"), [(200, 1), (3_400, 1), (4_000, 0.056), (4_500, 0.0032)])
def test_the_anchor_is_the_low_pass_of_mushra(hz: float, kept: float) -> None:
    """BS.1534-3, section 5.1: within 0.1 dB up to 3.5 kHz, 25 dB at 4 kHz, 50 dB at 4.5 kHz."""
    wave = tone(SR, hz=hz)[None]
    inside = slice(SR // 4, -SR // 4)
    gain = np.std(sounds.anchor(wave)[0, inside]) / np.std(wave[0, inside])
    assert gain == approx(1, abs=0.011) if kept == 1 else gain < kept


def test_loudness_is_that_of_the_norm_and_silence_stays() -> None:
    """BS.1770: a sine of 997 Hz at full scale in one channel has -3.01 LUFS, to 0.1 LU."""
    t = np.arange(SR) / SR
    assert sounds.loudness_of(np.sin(2 * np.pi * 997 * t)[None]) == approx(-3.01, abs=0.1)
    louder = sounds.as_loud(np.stack([tone(SR), tone(SR, hz=100)]))
    assert sounds.loudness_of(louder) == approx(-23, abs=0.01)
    assert not sounds.as_loud(np.zeros((1, SR), np.float32)).any()


def test_an_excerpt_is_the_middle_in_its_channels_and_begins_softly(tmp_path: Path) -> None:
    parts = [tone(4 * SR, hz=hz) for hz in (200, 800, 200)]
    wave = np.concatenate(parts)
    sf.write(tmp_path / "x.flac", np.stack([wave, -wave], axis=1), SR)
    found = sounds.excerpt(tmp_path / "x.flac", 3)
    assert found.shape == (2, 3 * SR)
    assert np.abs(np.fft.rfft(found[0, :SR])).argmax() == 800
    assert np.abs(found[:, [0, -1]]).max() == 0
    sf.write(tmp_path / "short.wav", tone(SR // 4), SR)
    with pytest.raises(ThirdstreamError, match=r"short\.wav: lasts 0\.2 s, which is too short"):
        sounds.excerpt(tmp_path / "short.wav", 3)


# --- the page -----------------------------------------------------------------------------------


def test_the_page_fetches_nothing_and_names_no_system(rating: Path) -> None:
    text = (rating / "page" / "index.html").read_text(encoding="utf-8")
    key = read_key(rating)
    parser = Balance()
    parser.feed(text.replace("<input", "<br").replace('<meta charset="utf-8">', ""))
    assert parser.open == []
    assert [one for one in parser.sources if not one.startswith("#")] == []
    assert not re.search(r"https?://|@import|url\(", text)
    [data] = re.findall(r'<script type="application/json" id="lt-data">(.*?)</script>', text, re.S)
    assert not re.search("|".join([*SYSTEMS, "hidden", "tune"]), data)
    shown = json.loads(data)
    assert shown["test"] == key.test
    for one in shown["items"]:
        item = key.item(one["code"])
        assert item is not None
        assert {item.sounds[code] for code in one["always"]} == set(HIDDEN)
        assert {item.sounds[code] for code in one["drawn"]} == SYSTEMS
    orders = [[key.items[k].sounds[code] for code in one["drawn"]]
              for k, one in enumerate(shown["items"])]  # fmt: skip
    assert all(order == orders[0] for order in orders)  # so that they can be drawn evenly


@pytest.mark.slow
def test_a_test_is_the_same_again_and_another_with_another_seed(
    rating: Path, tmp_path: Path
) -> None:
    again = made_in(tmp_path / "a", per_screen=2)
    for name in ("page/index.html", KEY):
        assert (again / name).read_bytes() == (rating / name).read_bytes()
    other = made_in(tmp_path / "b", per_screen=2, seed=1)
    assert read_key(other).test != read_key(rating).test


def test_codes_depend_on_the_sound(rating: Path) -> None:
    """The same name on another recording has another one."""
    codes = [code for item in read_key(rating).items for code in item.sounds]
    assert len(set(codes)) == len(codes)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "to", "fault"),
    [
        (["jazz=nowhere"], "", "is not STYLE=FILE or STYLE=FOLDER"),
        (["jazz"], "", "is not STYLE=FILE or STYLE=FOLDER"),
        (["../up={folder}"], "", "is not STYLE=FILE or STYLE=FOLDER"),
        (["jazz={folder}"], "", "which style jazz is turned into is not known; give --to"),
        (["jazz={folder}"], "jazz", "all recordings are jazz already"),
        (["jazz={empty}"], "", "holds no recordings"),
    ],
)
def test_recordings_that_cannot_be_are_refused(
    given: list[str], to: str, fault: str, rating: Path, tmp_path: Path
) -> None:
    folder = rating.parent / "original" / "jazz"
    with pytest.raises(ThirdstreamError, match=re.escape(fault)):
        making.recordings_of([one.format(folder=folder, empty=tmp_path) for one in given], to)


def test_the_bundled_clips_need_no_words() -> None:
    found = making.recordings_of([], "")
    assert [(one.style, one.to) for one in found] == [STYLES, STYLES, STYLES[::-1], STYLES[::-1]]
    assert found[0].title == "greensleeves"
    only = making.recordings_of([], "jazz")
    assert [one.is_original for one in only] == [True, True, False, False]


def test_names_and_settings_that_cannot_be_are_refused(rating: Path, tmp_path: Path) -> None:
    folder = rating.parent / "one"
    for given in ([f"a={folder}", f"a={folder}"], [f"{ANCHOR}={folder}"]):
        with pytest.raises(ThirdstreamError, match="is another's name too"):
            making.makers_of([], given)
    with pytest.raises(ThirdstreamError, match="is not NAME=FOLDER"):
        making.makers_of([], ["a=nowhere"])
    with pytest.raises(ThirdstreamError, match="--seconds must lie between 3 and 60"):
        Settings(seconds=float("nan"))
    with pytest.raises(ThirdstreamError, match="--per-screen must not be negative"):
        Settings(per_screen=-1)
    found = making.recordings_of([], "")
    one = making.makers_of([], [f"a={folder}"])
    with pytest.raises(ThirdstreamError, match="need two systems or more"):
        making.check(found, one, Settings(kind="ab"))
    many = making.makers_of([], [f"{k}={folder}" for k in range(30)])
    with pytest.raises(ThirdstreamError, match="would have 33 sounds; give --per-screen, 23"):
        making.check(found, many, Settings(per_screen=0))
    with pytest.raises(ThirdstreamError, match="two recordings are called so"):
        making.check([*found, *found], one, Settings())
    with pytest.raises(ThirdstreamError, match="does not know the style 'polka'"):
        making.check(
            making.recordings_of([], "polka"), making.makers_of(["twin-cnn"], []), Settings()
        )


@pytest.mark.slow
def test_a_test_is_replaced_only_when_told_and_then_wholly(tmp_path: Path) -> None:
    test = made_in(tmp_path)
    with pytest.raises(ThirdstreamError, match="answers may belong to it"):
        made_in(tmp_path)
    before = {path.name for path in (test / "page" / "audio").iterdir()}
    recordings = making.recordings_of([f"classical={tmp_path / 'original' / 'classical'}"], "jazz")
    makers = making.makers_of([], [f"two={tmp_path / 'two'}"])
    made = [*making.make(recordings, makers, test, Settings(seconds=3), force=True)]
    assert made == ["classical_tune0, two", "classical_tune1, two"]
    after = {path.name for path in (test / "page" / "audio").iterdir()}
    key = read_key(test)
    assert len(after) == 2 * 4 + 2 and not before <= after  # no jazz is there to be the other piece
    assert {name for item in key.items for name in item.sounds.values()} == {
        "two",
        REFERENCE,
        ANCHOR,
    }


@pytest.mark.slow
def test_a_recording_that_fails_leaves_no_page(tmp_path: Path) -> None:
    test = made_in(tmp_path)
    (tmp_path / "two" / "jazz_tune1.wav").unlink()
    recordings = making.recordings_of(
        [f"{one}={tmp_path / 'original' / one}" for one in STYLES], ""
    )
    makers = making.makers_of([], [f"two={tmp_path / 'two'}"])
    with pytest.raises(ThirdstreamError, match=r"two: .*has no result of jazz_tune1\.wav; put it"):
        list(making.make(recordings, makers, tmp_path / "new", Settings()))
    assert not (tmp_path / "new" / KEY).exists()
    assert not (tmp_path / "new" / "page" / "index.html").exists()
    silent = tmp_path / "original" / "jazz" / "jazz_tune0.wav"
    sf.write(silent, np.zeros(N_SAMPLES), SR)
    with pytest.raises(ThirdstreamError, match=r"jazz_tune0\.wav: is silent in its middle"):
        list(making.make(recordings, makers, test, Settings(), force=True))


# --- answers ------------------------------------------------------------------------------------


def ideal(system: str, question: str) -> int:
    """What a listener without doubts says of the hidden sounds; of others, by their name."""
    known = {REFERENCE: (0, 100, 90), ANCHOR: (0, 95, 10), OTHER: (100, 0, 95)}
    values = known.get(system, (10 * len(system), 20, 50))
    return dict(zip(QUESTIONS, values, strict=True))[question]


def test_ends_and_means_come_out_where_they_must(rating: Path, tmp_path: Path) -> None:
    paths = written(tmp_path, *(rated(rating, ideal, number=k) for k in range(3)))
    found = report.read(paths, rating)
    assert (found.n_listeners, found.n_screens, found.unit) == (3, (12, 12), "listeners")
    assert found.doubtful == []
    means = summary.means(found.key, found.answers)
    assert [*means][-3:] == [OTHER, REFERENCE, ANCHOR] and next(iter(means)) == "three"
    for system, by_question in means.items():
        for question, one in by_question.items():
            expected = ideal(system, question)
            assert one == (expected, expected, expected, 3, 12)  # all agree: no width


def test_the_interval_is_students_over_listeners_by_hand() -> None:
    """Means 40, 50, 60 of three: 50 +- 4.303 * 10 / sqrt(3), whatever each says inside."""
    one = summary.estimate({"a": [30, 50], "b": [50], "c": [60, 60, 60]})
    reach = 4.302653 * 10 / np.sqrt(3)
    assert one == (50, approx(50 - reach), approx(50 + reach), 3, 6)
    assert summary.estimate({"a": [7, 9]}) == (8, None, None, 1, 2)
    assert summary.estimate({"a": [0], "b": [100]})[1:3] == (0, 100)  # no further than the ends


def test_of_one_listener_intervals_are_over_recordings(rating: Path, tmp_path: Path) -> None:
    content = rated(rating, ideal)
    for number, screen in enumerate(content["screens"]):
        for values in screen["ratings"].values():
            values["style"] = 20 * number
    found = report.read(written(tmp_path, content), rating)
    assert found.unit == "recordings"
    one = summary.means(found.key, found.answers)["one"]["style"]
    assert (one.mean, one.n) == (30, 4)
    assert one.low == approx(max(0, 30 - 3.182446 * np.std([0, 20, 40, 60], ddof=1) / 2))
    both = [summary.means(found.key, found.answers, way)["one"]["style"].n for way in
            found.key.directions()]  # fmt: skip
    assert both == [2, 2]


def test_post_screening_finds_who_does_not_recognise_the_original(
    rating: Path, tmp_path: Path
) -> None:
    def at_random(system: str, question: str) -> int:
        return 50

    answers = [rated(rating, ideal), rated(rating, at_random, number=1)]
    found = report.read(written(tmp_path, *answers), rating)
    assert found.doubtful == [f"{1:016x}"]
    titles = [one.title for one in report.tables(found)]
    assert titles == ["All recordings", "Classical to jazz", "Jazz to classical",
                      "All recordings, after post-screening"]  # fmt: skip
    assert dict(report.tables(found)[-1].rows)[REFERENCE][1] == ("100", "[100, 100]")


def test_preferences_are_counted_by_listener_and_chance_is_in_the_interval(
    pairs: Path, tmp_path: Path
) -> None:
    order = {"one": 1.0, "two": 2.0, "three": 2.0}
    contents = [compared(pairs, order, number=k) for k in range(4)]
    contents.append(compared(pairs, {name: -value for name, value in order.items()}, number=4))
    found = report.read(written(tmp_path, *contents), pairs)
    by_pair = {one[:3]: one for one in summary.preferences(found.key, found.answers)}
    assert len(by_pair) == 9
    one = by_pair["one", "two", "style"]
    assert (one.n_first, one.n_neither, one.n_second) == (1, 0, 4)
    assert (one.share, one.low, one.high) == (
        0.2,
        approx(0.0362, abs=1e-4),
        approx(0.6245, abs=1e-4),
    )
    same = by_pair["three", "two", "quality"]
    assert same[3:] == (0, 0, 5, None, None, None)


def test_in_comparisons_the_check_is_the_original_against_its_anchor(
    pairs: Path, tmp_path: Path
) -> None:
    contents = [compared(pairs, {REFERENCE: 1.0, ANCHOR: 0.0}),
                compared(pairs, {REFERENCE: 0.0, ANCHOR: 1.0}, number=1)]  # fmt: skip
    found = report.read(written(tmp_path, *contents), pairs)
    assert found.doubtful == [f"{1:016x}"]
    assert len(report.tables(found)[0].rows) == 3


@pytest.mark.parametrize("kind", ["rating", "ab"])
def test_pages_of_answers(
    kind: str, rating: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = rating if kind == "rating" else pairs
    give = {"one": 1.0, "two": 2.0}
    content = rated(test, ideal) if kind == "rating" else compared(test, give)
    paths = written(tmp_path, content)
    for name in ("page.html", "page.md"):
        assert run("report", *paths, "--test", test, "--out", tmp_path / name) == 0
        assert "listeners: 1" in capsys.readouterr().out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    parser = Balance()
    parser.feed(text)
    assert parser.open == [] and not re.search(r"https?://|<script", text)
    assert "1 listener," in text and "headphones (1)" in text
    assert text.count("<svg") == (kind == "rating")
    markdown = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| one | 30 [30, 30] | 20 [20, 20] |" in markdown or kind == "ab"
    assert "| one / two | style | 0 | 0 | 4 | 0.00 [0.00, 0.49] |" in markdown or kind == "rating"
    assert run("report", *paths, "--test", test, "--out", tmp_path / "page.md") == 1
    assert "--force" in capsys.readouterr().err


def test_the_command_takes_results_alone_or_answers_alone(
    rating: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, foreign = rated(rating, ideal), compared(pairs, {"one": 1.0, "two": 2.0}, number=1)
    first, second = written(tmp_path, good, foreign)
    results = tmp_path / "results.json"
    write_json(results, {"version": 1, "scores": {}})
    out = tmp_path / "page.html"
    for given, said in (
        ((first, second), "answers-1.json: is of another listening test"),
        ((first, first), "answers-0.json: is of the same listener as"),
        ((first, results), "results.json: holds no answers of a listening test"),
        ((results, results), "is one results file too many"),
        ((tmp_path / "gone.json",), "gone.json: is not a readable file of results or of answers"),
    ):
        assert run("report", *given, "--test", rating, "--out", out) == 1
        assert said in " ".join(capsys.readouterr().err.split())
    assert run("report", first, "--test", tmp_path, "--out", out) == 1
    assert "says which system made which sound; give --test" in capsys.readouterr().err
    assert run("report", first, "--test", rating, "--out", tmp_path / "page.pdf") == 1
    assert not out.exists()


def test_a_key_that_was_changed_is_refused(rating: Path, tmp_path: Path) -> None:
    content = json.loads((rating / KEY).read_text())
    content["systems"]["one"]["about"] = "better than it is"
    write_json(tmp_path / KEY, content)
    with pytest.raises(ThirdstreamError, match="was changed since the test was made"):
        read_key(tmp_path)
    for bad, fault in (({}, "is no key"), ({"kind": content["kind"]}, "another version"),
                       ({"kind": content["kind"], "version": 1}, "is damaged")):  # fmt: skip
        write_json(tmp_path / KEY, bad)
        with pytest.raises(ThirdstreamError, match=fault):
            read_key(tmp_path)


def changed(content: dict[str, Any], way: tuple[Any, ...], value: Any) -> dict[str, Any]:
    content = copy.deepcopy(content)
    inner = content
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    return content


@pytest.mark.parametrize(
    ("way", "value", "fault"),
    [
        (("version",), 99, "by the page of another version"),
        (("listener",), "../x", "listener: String should match"),
        (("playback",), "radio", "playback: Input should be"),
        (("n_screens",), 1, "it has 4 screens of 1"),
        (("screens", 1, "item"), "0" * 12, "screen 2 is of a recording that the test has not"),
        (("screens", 0, "order", 0), "0" * 12, "screen 1 has sounds that its recording has not"),
        (("screens", 0, "order"), [], "screen 1 has not rated its sounds"),
        (("screens", 0, "seconds"), -1, "seconds: Input should be greater"),
    ],
)
def test_damaged_answers_are_refused(
    way: tuple[Any, ...], value: Any, fault: str, rating: Path, tmp_path: Path
) -> None:
    [path] = written(tmp_path, changed(rated(rating, ideal), way, value))
    with pytest.raises(ThirdstreamError, match=f"answers-0.json: .*{fault}"):
        read_answers([path], read_key(rating))


def test_values_beyond_the_slider_and_screens_twice_are_refused(
    rating: Path, tmp_path: Path
) -> None:
    key, good = read_key(rating), rated(rating, ideal)
    for value in (101, -1, 50.5, "50", None, True):
        code = good["screens"][0]["order"][0]
        [path] = written(tmp_path, changed(good, ("screens", 0, "ratings", code, "style"), value))
        with pytest.raises(ThirdstreamError, match="is damaged"):
            read_answers([path], key)
    twice = good | {"screens": [good["screens"][0]] * 2}
    [path] = written(tmp_path, twice)
    with pytest.raises(ThirdstreamError, match="it has a screen twice"):
        read_answers([path], key)
    [path] = written(tmp_path, good | {"screens": []})
    with pytest.raises(ThirdstreamError, match="no screen was answered"):
        read_answers([path], key)


def test_whatever_answers_hold_they_are_read_or_refused(rating: Path, tmp_path: Path) -> None:
    key, good = read_key(rating), rated(rating, ideal)
    good["screens"] = good["screens"][:1]
    path = tmp_path / "answers.json"
    for at in _places(good):
        for odd in (GONE, *ODD):
            path.write_text(json.dumps(_with(good, at, odd)))
            try:
                found = read_answers([path], key)
            except ThirdstreamError as error:
                assert "answers.json" in str(error) or "no screen was answered" in str(error)
            else:
                assert summary.means(key, found)


def test_a_listener_who_stopped_early_counts_with_what_there_is(
    rating: Path, tmp_path: Path
) -> None:
    content = rated(rating, ideal) | {"n_screens": 9}
    nobody = rated(rating, ideal, number=1) | {"screens": []}
    found = report.read(written(tmp_path, content, nobody), rating)
    assert (found.n_listeners, found.n_screens) == (1, (4, 13))
    assert found.unit == "recordings"


def test_names_make_nothing_of_their_own(tmp_path: Path) -> None:
    evil = "<b>&'|x"
    test = made_in(tmp_path, names=(evil.replace("/", ""), "two"))
    paths = written(tmp_path, rated(test, ideal))
    for name in ("page.html", "page.md"):
        report.write(report.read(paths, test), tmp_path / name)
        assert "<b>" not in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_system_makes_sounds_as_long_as_the_original(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", music(0, 4 * SR), SR)
    sf.write(tmp_path / "b.wav", music(1, 4 * SR), SR)
    out = tmp_path / "test"
    given = [f"classical={tmp_path / 'a.wav'}", f"jazz={tmp_path / 'b.wav'}"]
    assert run("listen-test", *given, "--models", "twin-cnn", "--seconds", 3, "--out", out) == 0
    key = read_key(out)
    assert key.systems["twin-cnn"].kind == "model" and key.systems["twin-cnn"].sha256
    lengths = {audio.measure(path).n_samples for path in (out / "page" / "audio").glob("*.mp3")}
    assert len(lengths) == 1
    assert run("listen-test", *given, "--models", "twin-cnn", "--out", out) == 1
