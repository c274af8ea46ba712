"""Vocabularies in files."""

from __future__ import annotations

import json
from pathlib import Path

from tartarus_cli.errors import FileError, PluginError
from tartarus_cli.files import read_text
from tartarus_cli.text import UnknownExtractorError, Vocabulary, restore

_AGAIN = "Make the setting again with 'tartarus text'."
_OWN = "If a file of your own has its extractor, name it: --code FILE."


def read_vocabulary(path: Path) -> Vocabulary:
    """Read what an extractor of texts learnt, to transform new documents.

    Raises
    ------
    FileError
        If the file is damaged or is no vocabulary.
    """
    try:
        return restore(json.loads(read_text(path)))
    except (ValueError, RecursionError) as problem:
        found = "; ".join(line.strip() for line in str(problem).splitlines()[:3])
        expected = "a vocabulary as 'tartarus text' writes it"
        unknown = isinstance(problem, UnknownExtractorError)
        hint = f"{_AGAIN} {_OWN}" if unknown else _AGAIN
        raise FileError(path, found=found[:200], expected=expected, hint=hint) from None
    except PluginError as problem:
        expected = "a vocabulary of an extractor that is there"
        raise FileError(path, found=str(problem), expected=expected, hint=problem.hint) from None
