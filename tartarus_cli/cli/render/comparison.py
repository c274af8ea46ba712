"""Several models in one table: on the terminal, for a paper, or as a document."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, out, plain, printable, table, unbroken
from tartarus_cli.cli.render.differences import MARK, probability, signed, signed_interval
from tartarus_cli.cli.render.evaluation import figures

if TYPE_CHECKING:
    from tartarus_cli.evaluation.comparison import ComparedModel, Comparison, Difference

MODEL_HEADINGS = ("model", "experiment and settings")

LATEX = {
    **{ord(c): f"\\{c}" for c in "&%$#_{}"},
    ord("\\"): r"\textbackslash{}",
    ord("~"): r"\textasciitilde{}",
    ord("^"): r"\textasciicircum{}",
    ord("|"): r"\textbar{}",
    ord("<"): r"\textless{}",
    ord(">"): r"\textgreater{}",
    ord("±"): r"$\pm$",
    ord(MARK): r"$^{\dagger}$",
}
"""Character that LaTeX would read as markup, or not show → how to write it."""


class Form(StrEnum):
    """How a comparison is written."""

    terminal = "terminal"
    json = "json"
    latex = "latex"
    markdown = "markdown"


def comparison(result: Comparison, form: Form) -> None:
    """Print the figures of several models, and how each differs from the first."""
    if form is Form.json:
        document(result.document())
    elif form is Form.terminal:
        _on_terminal(result)
    else:
        write = _latex if form is Form.latex else _markdown
        sys.stdout.write(write(result) + "\n")


def _on_terminal(result: Comparison) -> None:
    out().print(f"\n[bold]{plain(result.dataset)}[/] · {result.task}")
    for row in result.rows:
        label = f"{row.label} · " if row.label else ""
        line = f"  {label}{row.name} · {_recipe(row)} · {_seeds(row)}"
        out().print(plain(line), soft_wrap=True)
    rows = {
        row.title: {
            m: row.written(m) if row.deviations else row.metrics.get(m) for m in result.main
        }
        for row in result.rows
    }
    figures(rows, {m: [*map(result.title, names)] for m, names in result.best().items()})
    headings = _difference_headings(result)
    shown = table(*headings[:2], *(f">{heading}" for heading in headings[2:]))
    for difference in result.differences:
        shown.add_row(*map(plain, _difference_cells(result, difference)))
    out().print(f"[bold]Differences from {plain(result.title(result.reference))}[/]")
    unbroken(shown)
    out().print(plain(_caption(result)))


def _seeds(row: ComparedModel) -> str:
    if row.seeds:
        return f"seeds {', '.join(map(str, row.seeds))} ({', '.join(row.models)})"
    model = f" ({row.models[0]})" if row.models else ""
    return f"seed {row.seed}{model}"


def _recipe(row: ComparedModel) -> str:
    changes = (f"--set {quote(override)}" for override in row.overrides)
    scoring = [f"(scoring {row.scoring})"] if row.scoring else []
    return " ".join([row.experiment, *row.settings, *changes, *scoring])


def _difference_headings(result: Comparison) -> list[str]:
    return ["model", "metric", "diff.", "95% interval", "p", "p (Holm)", result.unit]


def _difference_cells(result: Comparison, test: Difference) -> list[str]:
    interval = signed_interval(test.low, test.high)
    corrected = (MARK if test.significant else "") + probability(test.p_holm)
    values = [signed(test.difference), interval, probability(test.p), corrected]
    return [result.title(test.model), test.metric, *values, f"{test.n:,}"]


def _caption(result: Comparison) -> str:
    grouped = any(row.deviations for row in result.rows)
    deviations = "±: standard deviation over the seeds (n - 1). " if grouped else ""
    counts = sorted({difference.n for difference in result.differences})
    tests, reference = len(result.differences), result.title(result.reference)
    return (
        f"{deviations}The best figure of each metric is bold. Differences are means over "
        f"{' to '.join(f'{n:,}' for n in dict.fromkeys((counts[0], counts[-1])))} {result.unit} "
        f"of {result.dataset}, compared with {reference}: 95% percentile intervals of "
        f"{result.resamples:,} bootstrap resamples, and p of two-sided paired randomization tests "
        f"({result.resamples:,} random patterns of signs, all of them where there are fewer; "
        f"seed {result.seed}). {MARK} p < .05 after "
        f"Holm's correction for {tests} test{'s' * (tests > 1)}. Intervals and p are over "
        f"{result.unit}; {result.caveat}."
    )


@dataclass(frozen=True)
class _Markup:
    """How LaTeX, or Markdown, writes text and figures."""

    text: Callable[[str], str]
    """Escapes what would be markup."""
    bold: str
    """A format for a bold figure."""
    number: str
    """A format for a number that may have a sign."""
    mark: str
    """Stands behind a figure whose difference is significant."""


def _in_latex(text: str) -> str:
    return printable(text).translate(LATEX)


def _in_markdown(text: str) -> str:
    """Escape what would be markup; an underscore within a word is none."""
    return re.sub(r"([\\`*|<>\[\]~&#]|\b_|_\b)", r"\\\1", printable(text))


def _model_rows(result: Comparison, markup: _Markup) -> list[list[str]]:
    best = result.best()
    marked = {(test.model, test.metric) for test in result.differences if test.significant}
    rows = []
    for row in result.rows:
        cells = [markup.text(row.title), markup.text(_recipe(row))]
        for metric in result.main:
            text = markup.text(row.written(metric))
            cell = markup.bold.format(text) if row.name in best[metric] else text
            cells.append(cell + (markup.mark if (row.name, metric) in marked else ""))
        rows.append(cells)
    return rows


def _difference_rows(result: Comparison, markup: _Markup) -> list[list[str]]:
    rows = []
    for test in result.differences:
        model, metric, difference, interval, *others = _difference_cells(result, test)
        numbers = [markup.number.format(text) for text in (difference, interval)]
        rows.append([markup.text(model), markup.text(metric), *numbers, *map(markup.text, others)])
    return rows


def _latex(result: Comparison) -> str:
    """Write two tables that need the package booktabs alone."""
    markup = _Markup(_in_latex, r"\textbf{{{}}}", "${}$", r"\rlap{$^{\dagger}$}")
    headings = [*MODEL_HEADINGS, *result.main]
    models = _latex_table(headings, _model_rows(result, markup), _caption(result), "comparison")
    reference = result.title(result.reference)
    differences = _latex_table(
        _difference_headings(result),
        _difference_rows(result, markup),
        f"Differences from {reference}. {MARK} p < .05 after Holm's correction.",
        "differences",
    )
    return f"{models}\n\n{differences}"


def _latex_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str
) -> str:
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_in_latex(caption)}}}",
        rf"  \label{{tab:{label}}}",
        rf"  \begin{{tabular}}{{ll{'r' * (len(headings) - 2)}}}",
        r"    \toprule",
        rf"    {' & '.join(map(_in_latex, headings))} \\",
        r"    \midrule",
        *(rf"    {' & '.join(row)} \\" for row in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _markdown(result: Comparison) -> str:
    markup = _Markup(_in_markdown, "**{}**", "{}", MARK)
    parts = [
        _markdown_table([*MODEL_HEADINGS, *result.main], _model_rows(result, markup)),
        f"Differences from {_in_markdown(result.title(result.reference))}:",
        _markdown_table(_difference_headings(result), _difference_rows(result, markup)),
        _in_markdown(_caption(result)),
    ]
    return "\n\n".join(parts)


def _markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---", "---", *["---:"] * (len(headings) - 2)]
    lines = [list(map(_in_markdown, headings)), ruler, *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
