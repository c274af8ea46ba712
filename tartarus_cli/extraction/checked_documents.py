"""Which documents can be read: all are read once, and those that cannot be are listed at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.lists import ListedFile, missing_hint
from tartarus_cli.errors import DataError, count_noun, display_path
from tartarus_cli.extraction.corpus import MISSING, find_corpus
from tartarus_cli.extraction.prepared_documents import PreparedDocument
from tartarus_cli.extraction.request import TextRequest
from tartarus_cli.file_names import Kind
from tartarus_cli.files import write_text
from tartarus_cli.progress import Progress


@dataclass
class CheckedDocuments:
    """The documents of a dataset that can be read, and those that cannot."""

    paths: dict[str, Path] = field(default_factory=dict)
    """Id → file of each document that can be read."""
    failures: dict[str, str] = field(default_factory=dict)
    """Id of each other document → the reason."""
    empty: list[str] = field(default_factory=list)
    """Ids of documents that can be read and hold nothing."""
    hint: str = ""
    """What to do about the first failure."""
    failure_list: Path | None = None
    """File that lists the failures and the empty documents; None if there are none."""

    def warn(self, progress: Progress, outcome: str) -> None:
        """Warn of documents that cannot be read: how many, the first, and where all stand.

        ``outcome`` says what becomes of their items.
        """
        if not self.failures or self.failure_list is None:
            return
        cannot = count_noun(len(self.failures), "document")
        examples = "; ".join(f"{item}: {reason}" for item, reason in [*self.failures.items()][:3])
        more = "; …" * (len(self.failures) > 3)
        progress.warn(
            f"{cannot} cannot be read: {outcome} ({examples}{more}). "
            f"{self.hint} {display_path(self.failure_list)} names them all."
        )


def find_documents(
    dataset: Dataset, ids: Mapping[str, list[str]], request: TextRequest
) -> list[ListedFile]:
    """Return the documents of the items of a dataset.

    Parameters
    ----------
    dataset
        The dataset.
    ids
        Split → ids of its items.
    request
        The folder of the documents, if the list is to be made of it.

    Raises
    ------
    RequestError
        If the folder cannot be listed, or there is another list already.
    DataError
        If there is no list, it is damaged, or no train item is on it.
    """
    items = dict.fromkeys(item for split_ids in ids.values() for item in split_ids)
    documents = find_corpus(dataset, items, request.text)
    if not {*ids["train"]} & {file.id for file in documents}:
        msg = f"no train item of {dataset.name} has a document on the list"
        hint = "Add documents of train items: a vocabulary is learnt from these alone."
        raise DataError(msg, hint=hint)
    return documents


def in_order(documents: Iterable[ListedFile], ids: Mapping[str, Iterable[str]]) -> list[ListedFile]:
    """Return documents in the order in which features of them are written.

    Parameters
    ----------
    documents
        The documents of items.
    ids
        Split → ids of its items.
    """
    by_id = {file.id: file for file in documents}
    items = dict.fromkeys(item for split_ids in ids.values() for item in split_ids)
    return [by_id[item] for item in items if item in by_id]


def check_documents(
    dataset: Dataset,
    ids: Mapping[str, list[str]],
    documents: Sequence[ListedFile],
    examined: Iterable[tuple[ListedFile, PreparedDocument]],
) -> CheckedDocuments:
    """List the documents of a dataset that cannot be read.

    Parameters
    ----------
    dataset
        The dataset.
    ids
        Split → ids of its items.
    documents
        The documents.
    examined
        Each of them, and whether it can be read.

    Raises
    ------
    DataError
        If no document of a train item can be read.
    """
    checked = CheckedDocuments()
    outcomes = {file.id: outcome for file, outcome in examined}
    for file in documents:
        _check(checked, file, dataset, outcomes[file.id])
    checked.failure_list = _write_failures(dataset, documents, checked)
    if not any(item in checked.paths for item in ids["train"]):
        raise _no_document_error(dataset, ids["train"], checked)
    return checked


def _check(
    checked: CheckedDocuments, file: ListedFile, dataset: Dataset, outcome: PreparedDocument
) -> None:
    if outcome.problem:
        checked.failures[file.id] = outcome.problem
        is_missing = outcome.problem == MISSING
        hint = missing_hint(file, dataset.workspace.text) if is_missing else outcome.hint
        checked.hint = checked.hint or hint
        return
    checked.paths[file.id] = file.path
    checked.empty += [file.id] if outcome.empty else []


def _write_failures(
    dataset: Dataset, documents: Sequence[ListedFile], checked: CheckedDocuments
) -> Path | None:
    """Write id, path and reason of each; if there are none, an older list is deleted."""
    path = dataset.path(Kind.TEXT_ERRORS)
    reasons = checked.failures | dict.fromkeys(checked.empty, "it is empty")
    if not reasons:
        path.unlink(missing_ok=True)
        return None
    names = {file.id: file.name for file in documents}
    lines = (f"{item}\t{names[item]}\t{reason}\n" for item, reason in sorted(reasons.items()))
    write_text(path, "".join(lines))
    return path


def _no_document_error(
    dataset: Dataset, train: Sequence[str], checked: CheckedDocuments
) -> DataError:
    item = next(item for item in train if item in checked.failures)
    msg = f"no train document of {dataset.name} can be read; {item!r}: {checked.failures[item]}"
    path = "" if checked.failure_list is None else display_path(checked.failure_list)
    return DataError(msg, hint=f"{checked.hint} {path} names them all.")
