"""Ids that differ by their Unicode form alone: ``é`` as one character, or as an e and an accent.

They look the same and mean the same (Unicode Standard Annex #15), and macOS, browsers and
databases write them in either form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from unicodedata import normalize

from tartarus_cli.errors import count_noun


class UnicodeForms:
    """Finds known ids that are written in another Unicode form.

    Of two known ids that differ by their form alone, neither is found for another one.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._known = {*known}
        composed = Counter(normalize("NFC", item) for item in self._known if not item.isascii())
        self._by_form = {
            normalize("NFC", item): item
            for item in self._known
            if not item.isascii() and composed[normalize("NFC", item)] == 1
        }
        self._rivals = {
            normalize("NFC", group[0]): sorted(group) for group in same_but_for_form(self._known)
        }
        self.replaced: dict[str, str] = {}
        """Id as it was written → the known id; of all that were looked up so far."""

    def find(self, name: str) -> str:
        r"""Return the known id that a name stands for; the name itself if there is none.

        >>> UnicodeForms(["caf\u00e9"]).find("cafe\u0301") == "caf\u00e9"
        True
        """
        if name.isascii() or name in self._known:
            return name
        item = self._by_form.get(normalize("NFC", name))
        if item is None:
            return name
        self.replaced[name] = item
        return item

    def rivals(self, name: str) -> list[str]:
        r"""Return the known ids that a name may stand for, if there are several and none is equal.

        >>> UnicodeForms(["\u212b", "\u00c5"]).rivals("\u212b")
        []
        >>> len(UnicodeForms(["A\u030a", "\u212b"]).rivals("\u00c5"))
        2
        """
        if name.isascii() or name in self._known:
            return []
        return self._rivals.get(normalize("NFC", name), [])

    def find_all(self, names: Sequence[str]) -> Sequence[str]:
        """Return what :func:`find` returns for each of these names."""
        if not self._by_form or all(map(str.isascii, names)):
            return names
        return [self.find(name) for name in names]

    def describe(self, source: str) -> str:
        """Say how many ids of a source were taken for known ones; "" if none were."""
        if not self.replaced:
            return ""
        ids = count_noun(len(self.replaced), "id is", "ids are")
        name = next(iter(self.replaced))
        return (
            f"{source}: {ids} written in another Unicode form than the dataset's, such as {name!r}:"
            " taken as the same"
        )


def same_but_for_form(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names that differ by their Unicode form alone, those of one look together."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if not name.isascii():
            groups.setdefault(normalize("NFC", name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]
