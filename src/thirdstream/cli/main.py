"""The command line: which command is which, and how it ends."""

import ast
import atexit
import functools
import gc
import inspect
import io
import logging
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_origin, get_type_hints

import docstring_parser
import tyro
from rich.table import Table

from thirdstream import shortage
from thirdstream.cli import options
from thirdstream.cli.console import ERR, OUT, Failed, set_loudness, tell
from thirdstream.cli.interrupts import ENDS, ignore_interrupts
from thirdstream.cli.pipes import close_output
from thirdstream.files import Interrupted, ThirdstreamError, unreachable
from thirdstream.nearest import meant
from thirdstream.shown import shown

CONVENTIONS = (
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.DisallowNone,
    tyro.conf.PositionalMetavarFromFieldName,
)
LOG = logging.getLogger(__name__)
COMMANDS = {  # where each is; it is imported when it is asked for
    "demo": "demo.demo",
    "prepare": "corpus.prepare",
    "train": "training.train",
    "tune": "training.tune",
    "transfer": "transfer.transfer",
    "figures": "research.figures",
    "claims": "research.claims",
    "reproduce": "reproduce.reproduce",
    "evaluate": "evaluation.evaluate",
    "report": "evaluation.report",
    "listen-test": "listen_test.listen_test",
    "arrange": "scores.arrange",
    "benchmark": "scores.benchmark",
    "listen": "scores.listen",
    "learn-style": "styles.learn_style",
    "index": "index.index",
    "export": "export.export",
    "convert": "convert.convert",
    "serve": "serve.serve",
    "info": "systems.info",
    "systems": "systems.list_systems",
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
        shell: bash, zsh or fish.
    """
    _all_commands(["--tyro-write-completion", shell, "-"])


def function_of(command: str) -> Callable[..., None]:
    """The function behind a command."""
    module, _, name = COMMANDS[command].partition(".")
    return getattr(import_module(f"thirdstream.cli.{module}"), name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 all done, 1 a fault that was explained, 2 misuse, 130 Ctrl-C."""
    ENDS.set(arguments is None)
    if ENDS.get():
        atexit.register(gc.freeze)  # the end of Python looks through all objects: 0.1 s
    given = list(sys.argv[1:] if arguments is None else arguments)
    general = {names[0] for names in GENERAL if not set(names).isdisjoint(given)}
    given = [argument for argument in given if not any(argument in names for names in GENERAL)]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for file names that are no text
    warnings.filterwarnings("ignore", message="Glyph")  # pictures of names in other scripts
    set_loudness(quiet="--quiet" in general, verbose="--verbose" in general)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    with _faults_explained(debug="--debug" in general):
        if short := shortage.at_start():
            raise Failed(short)
        with _timed(), _flushed():
            command = _parsed(["--version"] if "--version" in general else given)
            command()


@contextmanager
def _flushed() -> Iterator[None]:
    """What was printed inside is written at its end, where a fault of it is still explained."""
    try:
        yield
    except SystemExit:  # tyro's, after --help
        sys.stdout.flush()
        raise
    sys.stdout.flush()


@contextmanager
def _faults_explained(*, debug: bool) -> Iterator[None]:
    """A fault inside is one sentence and an exit code; with `debug` its traceback is shown."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        ignore_interrupts()
        _complain(str(error) or "interrupted; run the same command again to go on")
        raise SystemExit(130) from None
    except BrokenPipeError:  # who read our output has had enough of it, as `head` has
        close_output()
        raise SystemExit(141) from None
    except Exception as error:
        if debug:
            raise
        _complain(_said(error))
        if isinstance(error, OSError):
            with suppress(OSError, ValueError):  # there may be none
                close_output()
        raise SystemExit(1) from None


def _said(error: Exception) -> str:
    """A fault as a sentence."""
    if isinstance(error, (Failed, ThirdstreamError)):
        return str(error)
    if short := shortage.said(error):
        return short
    if isinstance(error, OSError) and (closed := unreachable(error)):
        return str(closed)
    return f"an unexpected fault ({error!r}); run it with --debug and report what it says"


def _parsed(given: list[str]) -> Callable[[], Any]:
    """What is asked for, as something to call; misuse is explained and exits with 2."""
    if os.environ.get("NO_COLOR"):  # tyro does not know it (no-color.org)
        tyro._experimental_options["ansi_codes"] = False
    if given and given[0] in ("--help", "-h"):  # of what follows
        given = [*given[1:], "--help"]
    if given == ["--version"]:
        return functools.partial(tell, f"thirdstream {version('thirdstream')}")
    if given == ["--help"]:
        return _print_commands
    if given and given[0] in COMMANDS:
        return _parsed_command(given[0], given[1:])
    if not given or given[0].startswith("-"):  # tyro explains it, or it is the shells' completion
        return functools.partial(_all_commands, given)
    remedy = meant(given[0], COMMANDS).removeprefix("; ") or "thirdstream --help lists them"
    _complain(f"{given[0]}: there is no such command; {remedy}")
    raise SystemExit(2)


def _all_commands(given: Sequence[str]) -> None:
    tyro.extras.subcommand_cli_from_dict(
        {name: function_of(name) for name in COMMANDS},
        prog="thirdstream",
        args=given,
        config=CONVENTIONS,
    )


def _parsed_command(command: str, given: Sequence[str]) -> Callable[[], Any]:
    """A command with its options; what tyro prints of names is made harmless."""
    function = function_of(command)
    _join_lines(inspect.unwrap(function))
    _say_what_may_be_empty(inspect.unwrap(function))

    @functools.wraps(function)
    def read(*values: Any, **named: Any) -> Any:
        return functools.partial(function, *values, **named)

    options.note(given)
    options.refuse_empty()
    written = io.StringIO()
    try:
        with ExitStack() as redirected:
            if any(shown(one) != one for one in given):
                redirected.enter_context(redirect_stderr(written))
                redirected.enter_context(redirect_stdout(written))
            parsed: Any = tyro.cli(
                read, prog=f"thirdstream {command}", args=given, config=CONVENTIONS
            )
    finally:
        if written.getvalue():
            ERR.print(written.getvalue(), soft_wrap=True)
    return parsed


def _join_lines(function: Callable[..., None]) -> None:
    """Of the text of each option, for tyro, which keeps them."""
    function.__doc__ = re.sub(r"\n {8,}(?=\S)", " ", inspect.cleandoc(function.__doc__ or ""))
    for kind in get_type_hints(function).values():
        if is_dataclass(kind):
            for one in docstring_parser.parse_from_object(kind).params:
                text = " ".join((one.description or "").split())
                kind.__dataclass_fields__[one.arg_name].metadata = MappingProxyType({"help": text})
            for field in fields(kind):
                if field.default == ():
                    kind.__annotations__[field.name] = _saying(field.type, "(optional)")


def _saying(hint: Any, said: str) -> Any:
    return Annotated[hint, tyro.conf.arg(help_behavior_hint=said)]


def _say_what_may_be_empty(function: Callable[..., None]) -> None:
    """In --help, of lists: tyro shows an empty default, also where a list must be given."""
    hints = get_type_hints(function, include_extras=True)
    for one in inspect.signature(function).parameters.values():
        if get_origin(hints[one.name]) is tuple and one.default in ((), one.empty):
            said = "(required)" if one.default is one.empty else "(optional)"
            hints[one.name] = _saying(hints[one.name], said)
    function.__annotations__ = hints


def _print_commands() -> None:
    """What there is, read from the commands' source: to import them takes seconds."""
    OUT.print(f"thirdstream {version('thirdstream')}: {ABOUT}\n")
    table = Table.grid(padding=(0, 2))
    for name, place in COMMANDS.items():
        module, _, function = place.partition(".")
        path = Path(__file__).with_name(f"{module}.py")
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
def _timed() -> Iterator[None]:
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
