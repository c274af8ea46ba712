"""Files of vocabularies."""

from __future__ import annotations

import json
from pathlib import Path

from tartarus_cli.errors import FileError, Placeholder, call
from tartarus_cli.files import read_text
from tartarus_cli.text import Vocabulary, restore

RECREATE_TEXT = (
    f"Recreate the setting: {call('text', Placeholder('DATASET'), Placeholder('EXTRACTOR'))}"
)
"""What to do about a damaged vocabulary."""


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
        expected = f"a vocabulary as {call('text')} writes it"
        raise FileError(path, found=found[:200], expected=expected, hint=RECREATE_TEXT) from None
