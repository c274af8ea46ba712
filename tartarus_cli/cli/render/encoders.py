"""Encoders: the list, one of them, and weights that were added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, message, next_step, out, plain, table
from tartarus_cli.errors import Placeholder, call, count_noun, parameter

if TYPE_CHECKING:
    from rich.table import Table

    from tartarus_cli.encoders.catalogue import EncoderDescription, ListedEncoder
    from tartarus_cli.fetching.encoder_weights import AddedWeights

DATASET = Placeholder("DATASET")


def encoders(listed: Sequence[ListedEncoder], *, json: bool) -> None:
    """List all encoders, and beneath them how those are had that are not there."""
    if json:
        document([_document(each) for each in listed])
        return
    console = out()
    shown = table("encoder", "kind", ">width", "languages", "licence", "weights", "installed")
    for each in listed:
        shown.add_row(
            plain(each.name),
            each.kind,
            "" if each.width is None else f"{each.width:,}",
            plain(each.languages.partition(":")[0]),
            plain(each.licence),
            each.source,
            "yes" if each.installed else "no",
        )
    console.print(shown)
    from tartarus_cli.encoders.weights import weights_folder

    folder = plain(weights_folder())
    console.print(f"cache: {folder} (TARTARUS_CACHE names another folder)", soft_wrap=True)
    named = parameter("weights", Placeholder("FILE"))
    console.print(message(f"yours: a file that you name with {named}"), soft_wrap=True)
    for each in listed:
        if not each.installed:
            console.print(f"{plain(each.name)}: {message(each.remedy)}", soft_wrap=True)
    next_step(f"{call('embed', DATASET, Placeholder('ENCODER'))}   (a setting of vectors)")


def _document(listed: ListedEncoder) -> dict[str, object]:
    return asdict(listed) | {
        "weights": in_shell(listed.weights),
        "remedy": in_shell(listed.remedy),
    }


def encoder(description: EncoderDescription, *, json: bool) -> None:
    """Show what can be said to an encoder, and what it needs."""
    listed = description.listed
    if json:
        values = asdict(description)
        del values["listed"]
        document(_document(listed) | values)
        return
    console = out()
    console.print(f"[bold]{plain(listed.name)}[/] · {plain(listed.summary)}", soft_wrap=True)
    shown = table("", "", narrow=True)
    for name, value in _facts(description):
        shown.add_row(name, message(value))
    console.print(shown)
    if description.options:
        console.print(_options(description))
    next_step(_next_command(listed))


def _options(description: EncoderDescription) -> Table:
    """Return a table of what ``--set`` may say."""
    shown = table("--set", "means")
    for key, default in description.options.items():
        choices = description.choices.get(key)
        value = str(default).lower() if isinstance(default, bool) else default
        of = f" ({'|'.join(map(str, choices))})" if choices else ""
        shown.add_row(plain(f"{key}={value}{of}"), plain(description.meanings.get(key, "")))
    return shown


def _next_command(listed: ListedEncoder) -> str:
    if not listed.installed:
        return listed.remedy
    weights = Placeholder("FILE") if listed.source == "yours" else None
    return call("embed", DATASET, listed.name, weights=weights)


def _facts(description: EncoderDescription) -> list[tuple[str, str]]:
    """Return what is known of an encoder, with headings; what does not apply is left out."""
    listed = description.listed
    layers = (
        f"{layer} ({'' if width is None else f'{width:,} '}wide)"
        for layer, width in description.layers.items()
        if layer
    )
    files = (
        f"{path} ({'there' if there else 'not there'})" for path, there in description.files.items()
    )
    facts = {
        "kind": listed.kind,
        "width": "" if listed.width is None else f"{listed.width:,}",
        "layers": ", ".join(layers).replace("(wide)", ""),
        "input": f"{description.sample_rate:,} Hz, mono" if description.sample_rate else "",
        "window": _window(description) if listed.kind == "audio" else "",
        "languages": listed.languages,
        "licence": listed.licence,
        "published": description.reference,
        "weights": ", ".join(files) or listed.weights,
        "installed": "yes" if listed.installed else "no",
        "from": description.origin,
    }
    return [(name, value) for name, value in facts.items() if value]


def _window(description: EncoderDescription) -> str:
    if description.window_s is None:
        return "the whole recording"
    hop = description.window_s if description.hop_s is None else description.hop_s
    fixed = ", always" if description.fixed_window else ""
    return f"{description.window_s:g} s, every {hop:g} s{fixed}"


def added_encoder(result: AddedWeights, *, json: bool) -> None:
    """Say where the weights lie, and what can be done with them."""
    if json:
        files, new = [[str(path) for path in paths] for paths in (result.files, result.new)]
        document({"encoder": result.encoder, "files": files, "new": new})
        return
    console = out()
    for path in result.files:
        there = "" if path in result.new else "   (was there already)"
        console.print(f"  {plain(path)}{there}", soft_wrap=True)
    number = count_noun(len(result.files), "file")
    console.print(
        f"[bold]{plain(result.encoder)}[/] has its weights: {number}, with the published hash",
        soft_wrap=True,
    )
    next_step(call("embed", DATASET, result.encoder))
