"""Files of vocabularies."""

from __future__ import annotations

import json
from pathlib import Path

from tartarus_cli.errors import FileError, Placeholder, PluginError, call, parameter
from tartarus_cli.files import read_text
from tartarus_cli.text import UnknownExtractorError, Vocabulary, restore

RECREATE_TEXT = (
    f"Recreate the setting: {call('text', Placeholder('DATASET'), Placeholder('EXTRACTOR'))}"
)
"""What to do about a damaged vocabulary."""
_OWN = f"If a file of your own has its extractor, name it: {parameter('code', Placeholder('FILE'))}"


def read_vocabulary(path: Path) -> Vocabulary:
    """Read the vocabulary that an extractor learnt from texts, to transform new documents.

    Raises
    ------
    FileError
        If the file is damaged or is no vocabulary.
    """
    try:
        return restore(json.loads(read_text(path)))
    except (ValueError, RecursionError) as problem:
        found = "; ".join(line.strip() for line in str(problem).splitlines()[:3])
        expected = "a vocabulary as `text()` writes it"
        unknown = isinstance(problem, UnknownExtractorError)
        hint = f"{RECREATE_TEXT} {_OWN}" if unknown else RECREATE_TEXT
        raise FileError(path, found=found[:200], expected=expected, hint=hint) from None
    except PluginError as problem:
        expected = "a vocabulary of an extractor that is there"
        raise FileError(path, found=str(problem), expected=expected, hint=problem.hint) from None
