"""What ``export`` wrote."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.console import document, next_step, out, plain
from tartarus_cli.errors import call, count_noun

if TYPE_CHECKING:
    from tartarus_cli.exporting.export import ExportResult
    from tartarus_cli.exporting.groups import GroupExport
    from tartarus_cli.exporting.model_file import ModelFile


def exported(result: ExportResult | ModelFile | GroupExport, *, json: bool) -> None:
    """Say what was written."""
    from tartarus_cli.exporting.groups import GroupExport

    group = result.group if isinstance(result, GroupExport) else None
    files = result.files if isinstance(result, GroupExport) else (result,)
    if json:
        documents = [*map(_export_document, files)]
        document(documents[0] if group is None else {"group": group, "files": documents})
        return
    for file in files:
        _exported_file(file)
    next_step(_after(files[-1]))


def _export_document(result: ExportResult | ModelFile) -> dict[str, Any]:
    from tartarus_cli.exporting.model_file import ModelFile

    what = {"model": result.model, "dataset": result.dataset, "what": result.what}
    if isinstance(result, ModelFile):
        others = {"others": [*map(str, result.others)]} if result.others else {}
        size = {"file": str(result.path), "bytes": result.bytes}
        return what | size | others | result.contents
    file = {"file": str(result.path), "lines": result.lines, "columns": [*result.columns]}
    return what | file


def _exported_file(result: ExportResult | ModelFile) -> None:
    from tartarus_cli.exporting.model_file import ModelFile

    if isinstance(result, ModelFile):
        _model_file(result)
        return
    columns = list(result.columns)
    named = ", ".join(columns if len(columns) <= 6 else [*columns[:4], "…", columns[-1]])
    console = out()
    console.print(f"  {plain(result.path)}", soft_wrap=True)
    console.print(
        f"{plain(result.what)} of [bold]{result.model}[/] ({plain(result.dataset)}): "
        f"{count_noun(result.lines, 'line')} of {plain(named)}",
        soft_wrap=True,
    )


def _model_file(result: ModelFile) -> None:
    console = out()
    for path in (result.path, *result.others):
        console.print(f"  {plain(path)}", soft_wrap=True)
    about = f"{plain(result.what)} of [bold]{result.model}[/] ({plain(result.dataset)})"
    console.print(f"{about}: {plain(_contents(result))}", soft_wrap=True)


def _contents(result: ModelFile) -> str:
    """Say what is in a file of a model."""
    contents = result.contents
    if result.what == "onnx":
        inputs, outputs = (
            ", ".join(f"{name} ({' × '.join(map(str, shape))})" for name, shape in each.items())
            for each in (contents["inputs"], contents["outputs"])
        )
        difference = contents["largest_difference"]
        return f"{inputs} → {outputs}; it differs from Keras by {difference:.1g} at most"
    if result.what == "safetensors":
        return f"{count_noun(len(contents['tensors']), 'tensor')}, {result.bytes:,} bytes"
    return f"{count_noun(result.bytes, 'byte')} of Markdown"


# Without these options polars would read ids as numbers and remove quotes from them.
READS = {
    ".csv": "polars.read_csv({}, infer_schema=False{})",
    ".tsv": "polars.read_csv({}, infer_schema=False, separator='\\t', quote_char=None{})",
    ".parquet": "polars.read_parquet({}{})",
}


def _after(result: ExportResult | ModelFile) -> str:
    """Say what reads it."""
    from tartarus_cli.exporting.model_file import ModelFile

    if isinstance(result, ModelFile):
        return _after_model_file(result)
    file, model = result.path, result.model
    if result.what == "run":
        other, character = str(file.with_suffix(".qrels")), result.replace_whitespace
        command = call("export", model, what="qrels", path=other, replace_whitespace=character)
        return f"{command}   (the truth that it is measured by)"
    if result.what == "qrels":
        return f"trec_eval {quote(str(file))} RUN   (a RUN comes from --what run)"
    pattern = any(sign in str(file) for sign in "*?[")
    read = READS[file.suffix.lower()].format(repr(str(file)), ", glob=False" * pattern)
    return f"{read}   (in Python)"


def _after_model_file(result: ModelFile) -> str:
    file = str(result.path)
    if result.what == "onnx":
        return f"onnxruntime.InferenceSession({file!r})   (in Python)"
    if result.what == "safetensors":
        return f"safetensors.numpy.load_file({file!r})   (in Python)"
    return f"Read {quote(file)}, and fill in its licence and limits."
