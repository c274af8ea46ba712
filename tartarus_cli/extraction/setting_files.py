"""The files of a setting that is made of documents, and whether they may be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import Placeholder, RequestError, display_path, parameter
from tartarus_cli.experiments.settings import check_setting_name, setting_name_error
from tartarus_cli.extraction.request import TextRequest, word_overrides
from tartarus_cli.file_names import Kind, parse_path
from tartarus_cli.files import locked, locked_together, remove_leftovers, remove_own_folder
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.options import parse_options
from tartarus_cli.text import EXTRACTORS, Extractor, ExtractorOptions, RowForm


def text_options(request: TextRequest, extractor: Extractor) -> ExtractorOptions:
    """Return the parameters of the extractor.

    Raises
    ------
    RequestError
        If there is no such parameter, or the extractor does not use the word vectors, or there are
        none.
    """
    overrides = word_overrides(request, extractor.options)
    options = parse_options(extractor.options, overrides, request.extractor)
    _check_vectors(request, extractor)
    return options


def _check_vectors(request: TextRequest, extractor: Extractor) -> None:
    if request.vectors is None:
        return
    if not extractor.takes_vectors:
        names = [name for name in EXTRACTORS.names() if EXTRACTORS.get(name).takes_vectors]
        msg = f"{request.extractor} uses no word vectors"
        hint = f"Leave {parameter('vectors')} out, or choose {' or '.join(names)}."
        raise RequestError(msg, hint=hint)
    if not request.vectors.is_file():
        msg = f"there is no file {request.vectors}"
        raise RequestError(msg, hint="Name a file in word2vec's text or binary format.")


@dataclass(frozen=True)
class SettingFiles:
    """Paths of the files of one setting."""

    features: Mapping[str, Path]
    """Split → matrix."""
    masks: Mapping[str, Path]
    """Split → mask, which is there only where items lack the setting."""
    vocabulary: Path
    word_vectors: Path

    @property
    def lock(self) -> Path:
        """The lock of whoever writes them; features that are imported have the same one."""
        return self.vocabulary.with_name(f".making_{self.vocabulary.name}.lock")

    @property
    def prepared(self) -> Path:
        """Folder of documents that were read, but are not written as features yet."""
        return self.vocabulary.with_name(f".making_{self.vocabulary.name}")

    @property
    def possible(self) -> list[Path]:
        """All of them, and the masks."""
        return [*self.paths(with_vectors=True), *self.masks.values()]

    def paths(self, *, with_vectors: bool) -> list[Path]:
        """Return all of them, with or without word vectors."""
        vectors = [self.word_vectors] if with_vectors else []
        return [*self.features.values(), *vectors, self.vocabulary]


_EXTENSIONS: Mapping[RowForm, str] = {"sparse": "npz", "dense": "npy", "sequence": "npy"}


def setting_files(
    workspace: WorkspacePaths, request: TextRequest, extractor: Extractor, splits: Sequence[str]
) -> SettingFiles:
    """Return the files of the setting, whose name has to be possible."""
    option = f"{parameter('setting')} "
    check_setting_name(request.setting_name, option=option)
    fields = {"setting": request.setting_name, "dataset": request.dataset}
    path, ext = workspace.path_of, _EXTENSIONS[extractor.vocabulary.form]
    files = SettingFiles(
        {split: path(Kind.FEATURES, split=split, ext=ext, **fields) for split in splits},
        {split: path(Kind.MASK, split=split, **fields) for split in splits},
        path(Kind.VOCABULARY, **fields),
        path(Kind.WORD_VECTORS, **fields),
    )
    parsed = parse_path(files.vocabulary, "datasets/train_data")
    if parsed is None or parsed.fields != fields:
        raise setting_name_error(request.setting_name, option=option)
    return files


def lock_for_shard(files: SettingFiles) -> AbstractContextManager[None]:
    """Keep other commands from writing this setting, but for those that do shards."""
    return locked_together(files.lock)


@contextmanager
def lock_setting(files: SettingFiles) -> Iterator[None]:
    """Keep other commands from writing this setting; remove files that a killed one left.

    Documents that were prepared are removed when the block ends well.
    """
    folder, paths = files.vocabulary.parent, files.possible
    with locked(files.lock):
        remove_leftovers(folder, {path.name for path in paths})
        yield
        remove_own_folder(files.prepared)


def refuse_other_settings(dataset: Dataset, request: TextRequest, files: SettingFiles) -> None:
    """Refuse to write over files of this name that were not made of documents."""
    replaceable = {*files.possible} if files.vocabulary.exists() else set()
    for file in dataset.own_files:
        is_same = file.fields.get("setting") == request.setting_name
        if is_same and file.path not in replaceable:
            msg = f"{request.dataset} has a setting {request.setting_name} already, made in "
            msg += f"another way: {display_path(file.path)}"
            name = parameter("setting", Placeholder("NAME"))
            hint = f"Choose another name with {name}, or move its files away."
            raise RequestError(msg, hint=hint)
