"""What there is to transfer with, and what is in a file."""

from typing import Literal

from rich.table import Table

from thirdstream import registry
from thirdstream.cli.console import OUT, complain, print_json, say, tell
from thirdstream.files import ThirdstreamError
from thirdstream.system import options_of


def default_system() -> str:
    """The default system; says what is missing where it is not the best."""
    name, reason = registry.default_system()
    if reason:
        say(
            f"{name} transfers the sound alone; score, which plays the piece anew, is not complete "
            f"here: {reason}"
        )
    return name


def info(path: str, /, *, json: bool = False) -> None:
    """Say what is in a corpus, a model or a learned style.

    Args:
        path: a corpus folder or its address, a run folder, a .safetensors file, a model's name, or
            a .style file.
        json: print it as JSON on standard output.
    """
    from thirdstream import checkpoint
    from thirdstream.cli.corpus import print_corpus
    from thirdstream.cli.styles import SUFFIX, print_style, style_summary
    from thirdstream.data.corpus import Corpus, is_corpus

    if path.endswith(SUFFIX):
        (print_json if json else print_style)(style_summary(path))
        return
    if is_corpus(path):
        opened = Corpus.open(path)
        if json:
            print_json({"kind": "corpus", "path": path, "styles": opened.summary()})
        else:
            print_corpus(opened)
        return
    found = registry.find(path)
    header = checkpoint.read_header(found)
    if json:
        print_json({"kind": "model", "path": str(found), "header": header})
        return
    tell(str(found))
    print_json(header)


def list_systems(*, json: bool = False) -> None:
    """List all systems and all models that are found by name.

    A model of your own is found by name in the folder that is shown, as NAME.safetensors or as a
    run folder NAME. The environment variable THIRDSTREAM_MODELS names another folder.

    Args:
        json: print them as JSON on standard output.
    """
    models = [_model(name, "bundled") for name in registry.bundled_names()]
    models += [_model(name, "user") for name in registry.user_names()]
    entries, folder = registry.SYSTEMS.values(), str(registry.user_folder())
    sizes = {entry.name: entry.sizes() for entry in entries}
    if json:
        found = [
            {"name": one.name, "about": _about(one), "presets": sizes[one.name],
             "options": {option.name: option.help for option in options_of(one.options, own=True)}}
            for one in entries
        ]  # fmt: skip
        print_json({"systems": found, "models": models, "user_folder": folder})
        return
    kinds = Table("system", "what it does", "its own options")
    trained = Table("system", "presets", "parameters")  # with the models it would not fit 80
    named = Table("system", "models")
    for one in entries:
        flags = (
            f"--{option.name.replace('_', '-')}" for option in options_of(one.options, own=True)
        )
        kinds.add_row(one.name, _about(one), "\n".join(flags))
        if one.is_trained:
            names = [str(model["name"]) for model in models if model["system"] == one.name]
            numbers = (f"{size:,}" for size in sizes[one.name].values())
            trained.add_row(one.name, "\n".join(sizes[one.name]), "\n".join(numbers))
            named.add_row(one.name, "\n".join(names or ["none"]))
    for table in (kinds, trained, named):
        OUT.print(table)
    tell(f"your own: {folder}")


def _about(one: registry.Entry) -> str:
    """What a system does, and which of its presets does otherwise."""
    return f"{one.about} {one.remark}".strip()


def _model(name: str, origin: Literal["bundled", "user"]) -> dict[str, str | None]:
    """What is listed of a model; the system of a file that is none is None."""
    path, system = registry.find(name), None
    try:
        system = registry.entry_of(path).name
    except ThirdstreamError as error:
        complain(str(error))
    return {"name": name, "system": system, "origin": origin, "path": str(path)}
