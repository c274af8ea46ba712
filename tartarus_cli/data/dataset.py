"""A dataset: one name of a workspace, bound to its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.data.arrays import digest_mapped, open_csr
from tartarus_cli.data.class_truth import class_truth_path, find_class_truth
from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.ids import digest_ids, find_id_problems, split_lines, warn_of_header
from tartarus_cli.data.masks import read_mask
from tartarus_cli.data.pooled_patches import PooledPatches
from tartarus_cli.data.scan import scan_matrix
from tartarus_cli.data.tasks import TargetSpec, Task
from tartarus_cli.data.unknown import unknown_dataset_error, unknown_setting_error
from tartarus_cli.errors import DataError, call, display_path
from tartarus_cli.file_names import PLAYS, SPLITS, DataFile, Kind
from tartarus_cli.files import decode_text, digest, digest_open, open_regular, readable
from tartarus_cli.html_table import html_table
from tartarus_cli.layout import WorkspaceFiles, WorkspacePaths

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Dataset:
    """All files of a workspace that have one name.

    It is bound to the files of the moment when it was created, and reads each of them once: lists
    of ids, matrices (dense ones are mapped into memory, not read) and hashes are kept.
    """

    files: WorkspaceFiles
    """All files of the workspace, of every dataset."""
    name: str
    """The dataset's name, as file names have it."""
    _lines: dict[Path, list[str]] = field(default_factory=dict, init=False, repr=False)
    _sound_lists: set[Path] = field(default_factory=set, init=False, repr=False)
    _matrices: dict[Path, Matrix] = field(default_factory=dict, init=False, repr=False)
    _interactions: dict[Path, csr_array] = field(default_factory=dict, init=False, repr=False)
    _digests: dict[Path, str] = field(default_factory=dict, init=False, repr=False)
    _pooled: PooledPatches = field(default_factory=PooledPatches, init=False, repr=False)

    @property
    def workspace(self) -> WorkspacePaths:
        """The workspace that it belongs to."""
        return self.files.workspace

    # Files by kind.

    @cached_property
    def own_files(self) -> tuple[DataFile, ...]:
        """All files of this dataset."""
        return tuple(file for file in self.files.files if file.dataset == self.name)

    def select(self, kind: Kind, **fields: str) -> list[DataFile]:
        """Return all its files of a kind that have these fields, such as ``split="train"``."""
        return self.files.select(kind, **fields | {"dataset": self.name})

    def find(self, kind: Kind, **fields: str) -> DataFile | None:
        """Return its one file of a kind that has these fields; None if it is missing.

        Raises
        ------
        FileError
            If the file exists in two places with different contents.
        """
        return self.files.find(kind, **fields | {"dataset": self.name})

    def require(self, kind: Kind, *, hint: str = "", **fields: str) -> DataFile:
        """Return its one file of a kind that has these fields.

        Raises
        ------
        DataError
            If it is missing: the message names it, and ``hint`` says what to do (by default, to
            check the dataset).
        """
        return self.files.require(kind, hint=hint, **fields | {"dataset": self.name})

    def path(self, kind: Kind, **fields: str) -> Path:
        """Return the path that a file of a kind is written to."""
        return self.workspace.path_of(kind, **fields | {"dataset": self.name})

    def digest(self, path: Path) -> str:
        """Return the BLAKE2b hash of a file's bytes, 32 hexadecimal digits; computed once."""
        if path not in self._digests:
            mapped = self._matrices.get(path)
            known = None if mapped is None or mapped.sparse else digest_mapped(mapped.values)
            self._digests[path] = known or digest(path)
        return self._digests[path]

    # Items and users.

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The sets that have ids: some of train, val and test, in this order."""
        return tuple(split for split in SPLITS if self.find(Kind.ITEMS, split=split))

    def ids(self, split: str) -> list[str]:
        """Return the ids of the items of a set, in the order of the rows of its matrices.

        Raises
        ------
        DataError
            If the list is missing or damaged.
        """
        return self._read_ids(self.require(Kind.ITEMS, split=split).path)

    def ids_digest(self, split: str) -> str:
        """Return the BLAKE2b hash of the ids of a set, in order; the ends of lines do not count."""
        return digest_ids(self.ids(split))

    def list_digest(self, path: Path) -> str:
        """Return the BLAKE2b hash of a list of ids, in order; the ends of lines do not count."""
        return digest_ids(self._read_ids(path))

    def split_ids(self) -> dict[str, list[str]]:
        """Return the ids of each set, of the train items at least.

        Raises
        ------
        RequestError
            If there is no such dataset.
        DataError
            If it has no train items, or a list is damaged.
        """
        known = sorted({file.dataset for file in self.files.select(Kind.ITEMS)})
        if self.name not in known:
            path = display_path(self.path(Kind.ITEMS, split="train"))
            raise unknown_dataset_error(self.name, self.workspace, known, f"List its ids in {path}")
        return {split: self.ids(split) for split in dict.fromkeys(["train", *self.splits])}

    @cached_property
    def user_ids(self) -> list[str] | None:
        """Ids of the users, in the order of the columns of its plays; None if not listed."""
        file = self.find(Kind.USERS)
        return self._read_ids(file.path) if file else None

    @cached_property
    def label_names(self) -> list[str] | None:
        """Names of the classes, in the order of their columns; None if not listed."""
        file = self.find(Kind.LABELS)
        return self.lines(file.path) if file else None

    def _read_ids(self, path: Path) -> list[str]:
        ids = self.lines(path)
        if path not in self._sound_lists:
            for problem in find_id_problems(path, ids):
                raise problem
            warn_of_header(path, ids)
            self._sound_lists.add(path)
        return ids

    def lines(self, path: Path) -> list[str]:
        """Return the lines of one of its lists; read once.

        Raises
        ------
        FileError
            If the file cannot be read or is not UTF-8.
        """
        if path not in self._lines:
            with readable(path), open_regular(path) as file:
                content = file.read()
                self._digests[path] = digest_open(file)
            self._lines[path] = split_lines(decode_text(path, content))
        return self._lines[path]

    # Tasks.

    @cached_property
    def is_classification(self) -> bool:
        """Whether it has classes."""
        return bool(self.select(Kind.TARGETS, fact="class") or self.select(Kind.LABELS))

    @cached_property
    def is_recommendation(self) -> bool:
        """Whether it has plays or factors of users."""
        kinds = (Kind.TEST_MATRIX, Kind.TRAIN_MATRIX, Kind.USERS)
        plays = any(self.select(kind) for kind in kinds)
        als = self.select(Kind.TARGETS, fact="als")
        factors = self.select(Kind.USER_FACTORS)
        return bool(plays or als or (factors and not self.is_classification))

    @cached_property
    def has_one_class_each(self) -> bool:
        """Whether each train item has exactly one class."""
        files = self.select(Kind.TARGETS, fact="class", split="train")
        try:
            return bool(files) and scan_matrix(self.matrix(files[0].path)).one_hot
        except DataError:
            return False

    @property
    def tasks(self) -> list[Task]:
        """The tasks that its files are for: recommendation, a classification, both or none."""
        tasks: list[Task] = ["recommendation"] if self.is_recommendation else []
        if self.is_classification:
            tasks.append("multiclass" if self.has_one_class_each else "multilabel")
        return tasks

    @property
    def task(self) -> Task | None:
        """The first of its tasks; None if it has none."""
        return next(iter(self.tasks), None)

    # Features.

    @cached_property
    def settings(self) -> list[str]:
        """Names of its feature settings, in alphabetical order."""
        return sorted({file.fields["setting"] for file in self.select(Kind.FEATURES)})

    @cached_property
    def complete_settings(self) -> list[str]:
        """Names of the settings that have a matrix for each set."""
        splits = set(self.splits)
        files = {name: self.select(Kind.FEATURES, setting=name) for name in self.settings}
        return [name for name in self.settings if splits <= {f.split for f in files[name]}]

    def check_settings(self, settings: Sequence[str]) -> None:
        """Make sure that all these settings exist.

        Raises
        ------
        RequestError
            If one does not; the hint names near ones, and the call that makes one.
        """
        for setting in settings:
            if setting not in self.settings:
                raise unknown_setting_error(setting, self.name, self.files)

    @cached_property
    def patches(self) -> list[tuple[int, float, str]]:
        """Kinds of patches of its train items: number of each item, length in seconds, name."""
        fields = [file.fields for file in self.select(Kind.PATCHES, split="train")]
        return sorted({(int(f["count"]), float(f["seconds"]), f["name"][1:]) for f in fields})

    def matrix(self, path: Path) -> Matrix:
        """Open one of its matrices, dense or sparse, once.

        Raises
        ------
        FileError
            If the file is damaged, is no matrix, or holds anything but numbers.
        """
        if path not in self._matrices:
            self._matrices[path] = open_matrix(path, self._digests)
        return self._matrices[path]

    def features(self, setting: str, split: str) -> Matrix:
        """Open the features of the items of a set, ``(items, width)``, and their mask.

        Raises
        ------
        DataError
            If a file is missing or damaged.
        """
        matrix = self.matrix(self.require(Kind.FEATURES, setting=setting, split=split).path)
        file = self.find(Kind.MASK, setting=setting, split=split)
        if file is None:
            return matrix
        if file.path not in self._matrices:
            present = read_mask(file.path, len(self.ids(split)), self._digests)
            self._matrices[file.path] = replace(matrix, present=present)
        return self._matrices[file.path]

    def pooled_patches(self, split: str, **fields: str) -> Matrix:
        """Open the patches of the items of a set as one row an item, ``(items, 4 × bins)``.

        Raises
        ------
        DataError
            If a file is missing or damaged.
        """
        return self._pooled.open(self, split, **fields)

    def word_vectors(self, setting: str) -> Matrix:
        """Open the word vectors of a setting of sequences, ``(words, width)``.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        return self.matrix(self.require(Kind.WORD_VECTORS, setting=setting).path)

    # Targets, factors and truth.

    def targets(self, kind: str, dim: int, split: str = "train") -> Matrix:
        """Open the targets of the items of a set, ``(items, dim)``.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        fields = TargetSpec(kind, dim).fields
        return self.matrix(self.require(Kind.TARGETS, split=split, **fields).path)

    def user_factors(self, kind: str, dim: int) -> Matrix:
        """Open the latent factors of the users, ``(users, dim)``.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        return self.matrix(self.require(Kind.USER_FACTORS, **TargetSpec(kind, dim).fields).path)

    def plays(self, split: str) -> csr_array:
        """Read how often each user played the items of a set, ``(items, users)``; do not modify it.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        path = self.require(PLAYS[split]).path
        if path not in self._interactions:
            self._interactions[path] = open_csr(path, self._digests)
        return self._interactions[path]

    def truth(self) -> Matrix | csr_array:
        """Return what predictions of the test items are compared with.

        Returns
        -------
        Plays of the test items, ``(items, users)``; for a classification their classes,
        ``(items, classes)``.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        if self.is_recommendation:
            return self.plays("test")
        file = self.class_truth
        if file is None:
            msg = f"{display_path(self.class_truth_path)} is missing"
            raise DataError(msg, hint=f"To see what the dataset needs: {call('check', self.name)}")
        return self.matrix(file.path)

    def label_factors(self, spec: TargetSpec) -> DataFile | None:
        """Return the file of the factors of the labels, ``(classes, dim)``; None if missing.

        Old datasets call them factors of users.
        """
        file = self.find(Kind.CLASS_FACTORS, **spec.fields)
        return file or self.find(Kind.USER_FACTORS, **spec.fields)

    @cached_property
    def class_truth(self) -> DataFile | None:
        """The file of the classes of the test items; None if there is none.

        Raises
        ------
        DataError
            If there are several, and none has as many classes as there are label names.
        """
        return find_class_truth(self)

    @property
    def class_truth_path(self) -> Path:
        """The path that the classes of the test items are written to."""
        return class_truth_path(self)

    # In a notebook.

    def to_frame(self) -> pl.DataFrame:
        """Return its sets, one in a row: ``split``, ``items``, and ``users`` that have an item."""
        import polars as pl

        rows = [(split, len(self.ids(split)), self._active_users(split)) for split in self.splits]
        schema = {"split": pl.String, "items": pl.Int64, "users": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _active_users(self, split: str) -> int | None:
        if self.find(PLAYS[split]) is None:
            return None
        plays = self.plays(split)
        return len(np.unique(plays.indices[plays.data > 0]))

    def _repr_html_(self) -> str:
        settings = ", ".join(self.settings) or "no settings"
        caption = f"{self.name}: {self.task or 'a dataset'} with {settings}"
        return html_table(caption, ("split", "items", "users"), self.to_frame().rows())
