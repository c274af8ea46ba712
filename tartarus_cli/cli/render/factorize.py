"""What ``factorize`` made."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.console import document, figure, out, plain
from tartarus_cli.errors import count_noun

if TYPE_CHECKING:
    from tartarus_cli.data.provenance import FactorManifest
    from tartarus_cli.factors.factorize import FactorizeResult
    from tartarus_cli.workspace import Workspace

PLAIN = 0.3  # of a rank correlation; less is hardly any


def factorized(workspace: Workspace, made: FactorizeResult, *, json: bool) -> None:
    """Say what was written, how good it can at best be, and what can be done with it."""
    files = [workspace.within(path) for path in made.files]
    if json:
        document(_document(made, files))
        return
    console, manifest = out(), made.manifest
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    for line in (_made(made), _best(manifest), _norms(manifest), *_replaced(made)):
        console.print(line, soft_wrap=True)
    console.print(f"Next: {plain(_next(made))}", soft_wrap=True)


def _document(made: FactorizeResult, files: list[str]) -> dict[str, Any]:
    manifest: dict[str, Any] = made.manifest.model_dump(mode="json")
    recipe: dict[str, Any] = manifest.pop("recipe")
    made_now = {"made": made.made, "models_of_replaced": made.replaced_under, "files": files}
    return recipe | manifest | made_now


def _made(made: FactorizeResult) -> str:
    manifest, recipe = made.manifest, made.manifest.recipe
    items = ", ".join(f"{split} {count:,}" for split, count in manifest.items.items())
    columns = count_noun(manifest.columns, "user" if recipe.source == "plays" else "label")
    said = f"[bold]{recipe.options['dim']} {recipe.method} factors[/] of {plain(recipe.dataset)} "
    said += f"from {recipe.source} ({items} items; {columns})"
    if not made.made:
        said += " were there already, made in the same way: nothing was done"
    return said


def _best(manifest: FactorManifest) -> str:
    from tartarus_cli.evaluation.upper_bound import MAIN_METRIC

    name = MAIN_METRIC[manifest.recipe.source]
    if not manifest.oracle:
        return "How good they can at best be is not known: the test items have no truth."
    oracle, random = (figure(each.get(name)) for each in (manifest.oracle, manifest.random))
    told = f"At best, models that learn them reach {name} {oracle}, that of the test items' true "
    return f"{told}factors; at random it is {random}."


def _norms(manifest: FactorManifest) -> str:
    rho, of = manifest.popularity_and_norm, "items"
    if manifest.recipe.source == "labels":
        of = "labels"
    if rho is None:
        return f"All {of} are equally popular, or their factors equally long."
    told = f"Popularity of the {of} and length of their factors: Spearman {rho:+.2f}; "
    return told + _explained(rho, of)


def _explained(rho: float, of: str) -> str:
    if rho <= -PLAIN:
        return f"rare {of} have the longer factors: mutual information favours what is rare."
    if rho < PLAIN:
        return "the length says little of popularity."
    blind = "models learn the direction alone, so popularity is not what they learn."
    return f"popular {of} have the longer factors; {blind}"


def _replaced(made: FactorizeResult) -> list[str]:
    if not made.replaced_under:
        return []
    models = plain(", ".join(made.replaced_under))
    return [f"[yellow]Trained on the factors that were replaced:[/] {models}. Train them again."]


def _next(made: FactorizeResult) -> str:
    recipe = made.manifest.recipe
    if not made.settings:
        way = "what a model could learn them from; other ways: patches, text, predict"
        return f"tartarus features {quote(recipe.dataset)} SETTING --from FILE   ({way})"
    labels = recipe.source == "labels"
    experiment = "cosine_multilabel_vector" if labels else "rec_dense"
    usual = {"als": 200, "pmi": 50 if labels else 0}[recipe.method]
    words = ["tartarus run", experiment, quote(made.settings[0])]
    words += ["--dataset", quote(recipe.dataset)]
    if recipe.method == "pmi" and not labels:
        words += ["--set", "targets.kind=pmi"]
    if recipe.options["dim"] != usual:
        words += ["--set", f"targets.dim={recipe.options['dim']}"]
    return " ".join(words)
