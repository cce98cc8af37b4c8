"""The command line: which command is which, and how it ends."""

import ast
import difflib
import functools
import io
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.table import Table

from thirdstream import shortage
from thirdstream.cli import options
from thirdstream.cli.console import ERR, OUT, Failed, set_loudness, tell
from thirdstream.cli.pipes import close_output
from thirdstream.files import Interrupted, ThirdstreamError
from thirdstream.shown import shown

CONVENTIONS = (
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.DisallowNone,
    tyro.conf.PositionalMetavarFromFieldName,
)
LOG = logging.getLogger(__name__)
COMMANDS = {  # where each is; it is imported when it is asked for
    "demo": "transferring.demo",
    "prepare": "corpora.prepare",
    "train": "training.train",
    "tune": "training.tune",
    "transfer": "transferring.transfer",
    "figures": "judging.figures",
    "claims": "corpora.claims",
    "evaluate": "judging.evaluate",
    "report": "judging.report",
    "arrange": "scores.arrange",
    "benchmark": "scores.benchmark",
    "listen": "scores.listen",
    "export": "exporting.export",
    "serve": "serving.serve",
    "info": "transferring.info",
    "systems": "transferring.list_systems",
    "completion": "main.completion",
}
ABOUT = (
    "classical recordings into jazz and jazz into classical. Every command explains itself: "
    "thirdstream COMMAND --help. Tables and JSON go to standard output, all else to standard error."
)
GENERAL = {
    ("--quiet", "-q"): "on standard error faults only",
    ("--verbose", "-v"): "also which models are used, versions, and the time it took",
    ("--debug",): "a fault shows where in the program it happened",
    ("--version",): "print the version",
}


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script that lets the shell complete commands and options with the Tab key.

    Example: thirdstream completion bash > ~/.local/share/bash-completion/completions/thirdstream

    Args:
        shell: which one.
    """
    _run(["--tyro-write-completion", shell, "-"])


def function_of(command: str) -> Callable[..., None]:
    """The function behind a command."""
    module, _, name = COMMANDS[command].rpartition(".")
    return getattr(import_module(f"thirdstream.cli.{module}"), name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 all done, 1 a fault that was explained, 2 misuse, 130 Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    general = {names[0] for names in GENERAL if not set(names).isdisjoint(given)}
    given = [argument for argument in given if not any(argument in names for names in GENERAL)]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for file names that are no text
    if "--version" in general:
        given = ["--version"]
    warnings.filterwarnings("ignore", message="Glyph")  # pictures of names in other scripts
    set_loudness(quiet="--quiet" in general, verbose="--verbose" in general)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    try:
        if short := shortage.at_start():
            raise Failed(short)
        with _described():
            _run(given)
        sys.stdout.flush()
    except (Interrupted, KeyboardInterrupt) as error:
        _complain(str(error) or "interrupted; run the same command again to go on")
        raise SystemExit(130) from None
    except BrokenPipeError:  # who read our output has had enough of it, as `head` has
        close_output()
        raise SystemExit(141) from None
    except (Failed, ThirdstreamError) as error:
        if "--debug" in general:
            raise
        _complain(str(error))
        raise SystemExit(1) from None
    except Exception as error:
        if "--debug" in general:
            raise
        _complain(_explained(error))
        if isinstance(error, OSError):
            with suppress(OSError, ValueError):  # there may be none
                close_output()
        raise SystemExit(1) from None


def _explained(error: Exception) -> str:
    """What is said of a fault that is none of ours."""
    unexpected = f"an unexpected fault ({error!r}); run it with --debug and report what it prints"
    return shortage.said(error) or unexpected


def _run(given: list[str]) -> None:
    if os.environ.get("NO_COLOR"):  # tyro does not know it (no-color.org)
        tyro._experimental_options["ansi_codes"] = False
    if given and given[0] in ("--help", "-h"):  # of what follows
        given = [*given[1:], "--help"]
    if given == ["--version"]:
        tell(f"thirdstream {version('thirdstream')}")
    elif given and given[0] in COMMANDS:
        _call(given[0], given[1:])
    elif given == ["--help"]:
        _print_commands()
    elif given and not given[0].startswith("-"):
        near = difflib.get_close_matches(given[0], COMMANDS, n=3, cutoff=0.5)
        remedy = f"did you mean {' or '.join(near)}?" if near else "thirdstream --help lists them"
        _complain(f"{given[0]}: there is no such command; {remedy}")
        raise SystemExit(2)
    else:  # nothing, which tyro explains, or the shells' completion
        tyro.extras.subcommand_cli_from_dict(
            {name: function_of(name) for name in COMMANDS},
            prog="thirdstream",
            args=given,
            config=CONVENTIONS,
        )


def _call(command: str, given: Sequence[str]) -> None:
    """Run a command; tyro, which prints what it does not understand as it is, only reads for it."""
    function = function_of(command)

    @functools.wraps(function)
    def read(*values: Any, **named: Any) -> Any:
        return functools.partial(function, *values, **named)

    options.note(given)
    written = io.StringIO()
    try:
        with ExitStack() as redirected:
            if any(shown(one) != one for one in given):
                redirected.enter_context(redirect_stderr(written))
                redirected.enter_context(redirect_stdout(written))
            call: Any = tyro.cli(
                read, prog=f"thirdstream {command}", args=given, config=CONVENTIONS
            )
    finally:
        if written.getvalue():
            ERR.print(written.getvalue(), soft_wrap=True)
    call()


def _print_commands() -> None:
    """What there is, read from the commands' source: to import them takes seconds."""
    OUT.print(f"thirdstream {version('thirdstream')}: {ABOUT}\n")
    table = Table.grid(padding=(0, 2))
    for name, place in COMMANDS.items():
        module, _, function = place.rpartition(".")
        path = Path(__file__).parent / f"{module}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                table.add_row(name, (ast.get_docstring(node) or "").partition("\n")[0])
    OUT.print(table)
    OUT.print("\nWith any command:")
    general = Table.grid(padding=(0, 2))
    for names, text in GENERAL.items():
        general.add_row(", ".join(names), text)
    OUT.print(general)


@contextmanager
def _described() -> Iterator[None]:
    """For --verbose: versions before, the time it took after."""
    if LOG.isEnabledFor(logging.INFO):
        from thirdstream.checkpoint import versions

        LOG.info(", ".join(" ".join(pair) for pair in versions().items()))
    started = time.monotonic()
    try:
        yield
    finally:
        LOG.info("it took %.1f s", time.monotonic() - started)


def _stop(number: int, frame: object) -> None:
    """SIGTERM ends the program as an error does, so that no temporary file is left."""
    raise SystemExit(128 + number)


def _complain(text: str) -> None:
    with suppress(OSError):  # then nobody can be told
        ERR.print(shown(f"thirdstream: {text}"), soft_wrap=True)


if __name__ == "__main__":
    main()
