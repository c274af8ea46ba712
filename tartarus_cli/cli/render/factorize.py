"""Results of ``factorize``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.console import document, figure, next_step, out, plain
from tartarus_cli.errors import Placeholder, call, count_noun

if TYPE_CHECKING:
    from tartarus_cli.data.provenance import FactorManifest
    from tartarus_cli.factors.factorize import FactorizeResult
    from tartarus_cli.workspace import Workspace

NOTABLE = 0.3
"""Rank correlation from which on it is worth explaining."""


def factorize_result(workspace: Workspace, result: FactorizeResult, *, json: bool) -> None:
    """Print what was written, how good models of it can be at best, and what comes next."""
    files = [workspace.relative(path) for path in result.files]
    if json:
        document(_document(result, files))
        return
    console, manifest = out(), result.manifest
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    for line in (
        _summary(result),
        _upper_bound(manifest),
        _popularity(manifest),
        *_outdated(result),
    ):
        console.print(line, soft_wrap=True)
    next_step(_next_command(result))


def _document(result: FactorizeResult, files: list[str]) -> dict[str, Any]:
    manifest: dict[str, Any] = result.manifest.model_dump(mode="json")
    recipe: dict[str, Any] = manifest.pop("recipe")
    outcome = {"made": result.is_new, "models_of_replaced": result.outdated_models, "files": files}
    return recipe | manifest | outcome


def _summary(result: FactorizeResult) -> str:
    manifest, recipe = result.manifest, result.manifest.recipe
    items = ", ".join(f"{split} {count:,}" for split, count in manifest.items.items())
    columns = count_noun(manifest.columns, "user" if recipe.source == "plays" else "label")
    summary = f"[bold]{recipe.options['dim']} {recipe.method} factors[/] of "
    summary += f"{plain(recipe.dataset)} from {recipe.source} ({items} items; {columns})"
    if not result.is_new:
        summary += " were there already, made in the same way: nothing was done"
    return summary


def _upper_bound(manifest: FactorManifest) -> str:
    from tartarus_cli.evaluation.upper_bound import MAIN_METRIC

    name = MAIN_METRIC[manifest.recipe.source]
    if not manifest.oracle:
        return "How good they can at best be is not known: the test items have no truth."
    oracle, random = figure(manifest.oracle.get(name)), figure(manifest.random.get(name))
    best = f"At best, models that learn them reach {name} {oracle}, that of the test items' true "
    return f"{best}factors; at random it is {random}."


def _popularity(manifest: FactorManifest) -> str:
    rho = manifest.popularity_and_norm
    noun = "labels" if manifest.recipe.source == "labels" else "items"
    if rho is None:
        return f"All {noun} are equally popular, or their factors equally long."
    correlation = f"Popularity of the {noun} and length of their factors: Spearman {rho:+.2f}; "
    return correlation + _explain_correlation(rho, noun)


def _explain_correlation(rho: float, noun: str) -> str:
    if rho <= -NOTABLE:
        return f"rare {noun} have the longer factors: mutual information favours what is rare."
    if rho < NOTABLE:
        return "the length says little of popularity."
    consequence = "models learn the direction alone, and so do not learn popularity."
    return f"popular {noun} have the longer factors; {consequence}"


def _outdated(result: FactorizeResult) -> list[str]:
    if not result.outdated_models:
        return []
    models = plain(", ".join(result.outdated_models))
    return [f"[yellow]Trained on the factors that were replaced:[/] {models}. Train them again."]


def _next_command(result: FactorizeResult) -> str:
    recipe = result.manifest.recipe
    if not result.settings:
        purpose = "features from which to learn them; other ways: patches, text, predict"
        setting, file = Placeholder("SETTING"), Placeholder("FILE")
        return f"{call('features', recipe.dataset, setting, source=file)}   ({purpose})"
    labels = recipe.source == "labels"
    experiment = "cosine_multilabel_vector" if labels else "rec_dense"
    default_dim = {"als": 200, "pmi": 50 if labels else 0}[recipe.method]
    overrides = ["targets.kind=pmi"] * (recipe.method == "pmi" and not labels)
    if recipe.options["dim"] != default_dim:
        overrides.append(f"targets.dim={recipe.options['dim']}")
    options = {"dataset": recipe.dataset, "overrides": overrides or None}
    return call("run", experiment, result.settings[0], **options)
