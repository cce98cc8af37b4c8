"""A listening test."""

from pathlib import Path

import tyro

from thirdstream import registry
from thirdstream.cli.console import progress_bar, say, tell
from thirdstream.cli.locks import writes_folder
from thirdstream.cli.systems import default_system
from thirdstream.listening.design import PAGE, Settings


@writes_folder
def listen_test(
    recordings: tuple[str, ...] = (),
    /,
    *,
    models: tuple[str, ...] = (),
    results: tuple[str, ...] = (),
    to: str = "",
    out: Path = Path("listening-test"),
    settings: tyro.conf.OmitArgPrefixes[Settings] = Settings(),  # noqa: B008
    force: bool = False,
) -> None:
    """Make a page on which people rate systems without knowing which is which.

    Example: thirdstream listen-test classical=my/classical jazz=my/jazz --models score twin-cnn

    Without arguments it has the systems of the demo on the bundled clips. The page works offline,
    on a phone too: open OUT/page/index.html, or give the folder OUT/page to others. Keep
    OUT/key.json: `thirdstream report` needs it to read the answers.

    Args:
        recordings: STYLE=FILE or STYLE=FOLDER of originals; the bundled clips if none are given.
        models: names of systems and models, .safetensors files or run folders.
        results: NAME=FOLDER of results made before, by whatever system, each called as its original
            is and as long.
        to: the style that all are turned into; by default, of two styles, the other one.
        out: folder for the test.
        settings: how it asks.
        force: replace a test that exists. Its answers can then be read no longer.
    """
    from thirdstream.listening import making

    if not models and not results:
        models = tuple(dict.fromkeys([default_system(), *registry.DEMONSTRATED]))
    found = making.recordings_of(recordings, to)
    makers = making.makers_of(models, results)
    for terms in dict.fromkeys(registry.load(one).terms for one in models):
        if terms:
            say(terms)
    with progress_bar() as bar:
        n_originals = sum(one.is_original for one in found)
        task = bar.add_task("listening test", total=n_originals * len(makers))
        for made in making.make(found, makers, out, settings, force=force):
            bar.update(task, description=made)
            bar.advance(task)
    tell(f"Listen and rate: {(out / PAGE / 'index.html').resolve()}")
    say(f"then: thirdstream report answers-*.json --test {out} --out report.html")
