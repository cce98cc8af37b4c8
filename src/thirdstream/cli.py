"""The command line: which command is which, and how it ends."""

import io
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version

import tyro

from thirdstream.commands.console import ERR, Failed
from thirdstream.commands.corpora import claims, prepare
from thirdstream.commands.judging import evaluate, figures, report
from thirdstream.commands.scores import arrange, benchmark, listen
from thirdstream.commands.serving import serve
from thirdstream.commands.training import train, tune
from thirdstream.commands.transferring import demo, info, list_systems, transfer
from thirdstream.files import ThirdstreamError
from thirdstream.mel.run import Interrupted

CONVENTIONS = (
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.DisallowNone,
    tyro.conf.PositionalMetavarFromFieldName,
)
COMMANDS = {
    "demo": demo,
    "prepare": prepare,
    "train": train,
    "tune": tune,
    "transfer": transfer,
    "figures": figures,
    "claims": claims,
    "evaluate": evaluate,
    "report": report,
    "arrange": arrange,
    "benchmark": benchmark,
    "listen": listen,
    "serve": serve,
    "info": info,
    "systems": list_systems,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 all done, 1 a fault that was explained, 2 misuse, 130 Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for file names that are no text
    given = [argument for argument in given if argument != "--debug"]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="thirdstream",
            description=f"thirdstream {version('thirdstream')}: classical recordings into jazz and "
            "jazz into classical. Every command explains itself: thirdstream COMMAND --help. "
            "With --debug, a fault shows where in the program it happened.",
            args=given,
            config=CONVENTIONS,
        )
    except (Interrupted, KeyboardInterrupt) as error:
        _complain(str(error) or "interrupted; run the same command again to go on")
        raise SystemExit(130) from None
    except (Failed, ThirdstreamError) as error:
        if debug:
            raise
        _complain(str(error))
        raise SystemExit(1) from None
    except Exception as error:
        if debug:
            raise
        _complain(f"an unexpected fault ({error!r}); run it with --debug and report what it prints")
        raise SystemExit(1) from None


def _stop(number: int, frame: object) -> None:
    """SIGTERM ends the program as an error does, so that no temporary file is left."""
    raise SystemExit(128 + number)


def _complain(text: str) -> None:
    ERR.print(f"thirdstream: {text}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
