"""A name from anyone does nothing to a terminal, a table or a page."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown import markdown
from rich.table import Table

from thirdstream.cli import console, main
from thirdstream.shown import in_markdown, shown

EVIL = "a\x1b[31mRED\x1b]0;t\x07\r\nb\x9b2J\u202egnp\u2066\u2028\u200b\x7f\t[/x] [red]"
OBEYED = set("\x1b\x07\r\n\x9b\u202e\u2066\u2028\u200b\x7f\t")


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert shown("a\x1b[31m\n\u202e\udce9") == r"a\x1b[31m\n\u202e\udce9"
    assert not OBEYED & set(shown(EVIL))
    persian = "\u0633\u0645\u0641\u0648\u0646\u06cc\u200c\u0647\u0627"
    for fine in ("Für Elise", "交響曲\u3000第五番", persian, "𝄞 👩\u200d🎤", "C:\\music", "[red]"):
        assert shown(fine) == fine


@given(st.text())
def test_what_is_shown_is_shown_alike_again(text: str) -> None:
    assert shown(shown(text)) == shown(text)
    assert not OBEYED & set(shown(text))


@given(st.text())
def test_markdown_shows_the_text_and_makes_nothing_of_it(text: str) -> None:
    made = markdown(f"a {in_markdown(text)} b")
    assert made.count("<") == 2, made  # a paragraph and its end


@pytest.mark.parametrize("print_it", [console.tell, console.say, console.complain])
def test_a_name_stays_in_its_line(print_it, capsys: pytest.CaptureFixture[str]) -> None:
    print_it(EVIL)
    said = "".join(capsys.readouterr())
    assert said == shown(EVIL) + "\n"
    assert not OBEYED & set(shown(EVIL))


def test_tables_and_bars_obey_no_name_either(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", title=EVIL)
    table.add_row(EVIL)
    console.OUT.print(table)
    with console.progress_bar() as bar:
        bar.add_task(EVIL, total=1)
    said = "".join(capsys.readouterr())
    assert "RED" in said
    assert not (OBEYED - {"\n"}) & set(said)


@pytest.mark.parametrize("arguments", [
    ["info", EVIL], [EVIL], [EVIL, "--help"], ["info", "a", f"--{EVIL}"], ["systems", EVIL],
    ["train", EVIL, "--corpus", EVIL, "--out", "{}"], ["prepare", EVIL, EVIL, "--out", "{}"],
    ["transfer", EVIL, "--to", EVIL, "--out", "{}"], ["transfer", EVIL, "--n-jobs", EVIL],
    ["listen", EVIL, "--out", "{}"], ["arrange", EVIL, "--out", "{}"],
    ["report", EVIL, "--out", f"{{}}{EVIL}.html"], ["figures", EVIL, "--out", "{}"],
    ["export", EVIL, "--to", EVIL, "--out", "{}"], ["claims", EVIL, "--out", "{}"],
    ["evaluate", "--corpus", EVIL, "--out", "{}"], ["tune", EVIL, "--corpus", "a", "--out", "{}"],
])  # fmt: skip
def test_no_command_prints_a_name_raw(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main([one.replace("{}", str(tmp_path / "o")) for one in arguments])
    assert stop.value.code in (1, 2)
    said = "".join(capsys.readouterr())
    assert said
    assert not (OBEYED - {"\n"}) & set(said), said


def test_an_unknown_command_is_misuse_with_help_too() -> None:
    for arguments in (["trian"], ["trian", "--help"], ["--help", "trian"], ["-h", "trian"]):
        command = [sys.executable, "-m", "thirdstream", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert "did you mean train" in done.stderr
