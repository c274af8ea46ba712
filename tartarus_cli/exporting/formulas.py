"""Texts that a spreadsheet would take for formulas, and might run: CSV injection (CWE-1236)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tartarus_cli.errors import count_noun

if TYPE_CHECKING:
    import polars as pl

FORMULA = r"^[=+\-@\t\r]"
"""How a formula begins."""
NUMBER = r"^[+\-]?[0-9]+(\.[0-9]+)?$"
"""A number with a sign, which is none."""


@dataclass
class FormulaGuard:
    """Looks for formulas among the names and texts of tables, and marks them as texts."""

    escape: bool
    """Whether an apostrophe is put before them, as spreadsheets do."""
    count: int = 0
    example: str = ""

    def __call__(self, table: pl.DataFrame) -> pl.DataFrame:
        """Count the formulas of a table, and return it, with marks if they are asked for."""
        import polars as pl

        texts = pl.selectors.string()
        starts = texts.str.contains(FORMULA) & ~texts.str.contains(NUMBER)
        for column in table.select(texts).iter_columns():
            found = column.filter(column.str.contains(FORMULA) & ~column.str.contains(NUMBER))
            self._add(found.len(), str(found[0]) if found.len() else "")
        names = pl.Series(table.columns)
        strange = names.filter(names.str.contains(FORMULA) & ~names.str.contains(NUMBER)).to_list()
        if not self.count:
            self._add(len(strange), strange[0] if strange else "")
        if not self.escape:
            return table
        marked = pl.when(starts).then(pl.lit("'") + texts).otherwise(texts).name.keep()
        return table.with_columns(marked).rename({name: f"'{name}" for name in strange})

    def _add(self, count: int, example: str) -> None:
        self.count += count
        self.example = self.example or example

    @property
    def warning(self) -> str | None:
        """What is wrong with a file as it was written; None: nothing."""
        if not self.count or self.escape:
            return None
        texts = count_noun(self.count, "text begins", "texts begin")
        remedy = "to write an apostrophe before each, give `escape_formulas=True`"
        example = repr(self.example[:40])
        return f"{texts} like a formula ({example}), which a spreadsheet may run: {remedy}"
