"""``tartarus patches``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    Cluster,
    Code,
    DatasetArgument,
    DryRun,
    Jobs,
    Json,
    Root,
    Seed,
    Shard,
    Timeout,
    parameter_option,
    run_code,
)
from tartarus_cli.cli.signatures import panels
from tartarus_cli.errors import RequestError

if TYPE_CHECKING:
    from tartarus_cli.extraction.request import PatchesRequest
    from tartarus_cli.workspace import Workspace


class Starts(StrEnum):
    """Where patches begin."""

    RANDOM = "random"
    EVEN = "even"
    SOUND = "sound"


class Scale(StrEnum):
    """What has a mean and a deviation of its own."""

    POSITION = "position"
    BIN = "bin"


Audio = Annotated[
    Path | None,
    typer.Option(
        "--audio",
        metavar="FOLDER",
        help="Make the list of recordings from this folder; ids come from the files' names.",
        show_default=False,
    ),
]
TransformName = Annotated[
    str, typer.Option("--transform", help="cqt, mel, stft, or one of your own.")
]
Parameters = Annotated[
    list[str] | None,
    parameter_option(
        "cqt: sample_rate, hop_length, bins, bins_per_octave, fmin; "
        "mel: sample_rate, hop_length, n_fft, bins; stft: sample_rate, hop_length, n_fft"
    ),
]
PerItem = Annotated[
    int, typer.Option("--patches", metavar="N", min=1, max=10_000, help="Patches of each item.")
]
Seconds = Annotated[
    float, typer.Option("--seconds", min=0.001, max=36_000, help="Length of a patch.")
]
StartsOption = Annotated[
    Starts,
    typer.Option(
        "--starts",
        help="Where patches begin: at drawn frames, evenly spaced over the recording, or spread "
        "over where it sounds most.",
    ),
]
ScaleOption = Annotated[
    Scale,
    typer.Option(
        "--scale",
        help="Zero mean and unit variance of each position (frame and bin), or of each bin, for "
        "networks that are trained on crops (training.crops).",
    ),
]
PatchesName = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Name of these patches, where there are others of the same number and length; "
        "experiments choose them with --set patches.name=NAME.",
        show_default=False,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace patches that were made by other parameters.")
]
ScalerPatches = Annotated[
    int,
    typer.Option(
        "--scaler-patches",
        min=1,
        help="Fit the scaler on at most so many train patches, drawn at random.",
    ),
]
Keep = Annotated[
    bool,
    typer.Option(
        "--keep-spectrograms/--no-keep-spectrograms",
        help="Keep the spectrograms, so that other patches are cut without decoding again.",
    ),
]
Show = Annotated[
    str | None,
    typer.Option(
        "--show",
        metavar="ID",
        help="Only draw the spectrogram of this item with its patches: those that have been made, "
        "or those that other parameters would give.",
        show_default=False,
    ),
]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="With --show: a .png or .svg.", show_default=False),
]


@panels(
    {
        "Transform": ("transform", "parameters"),
        "Patches": (
            "per_item",
            "seconds",
            "starts",
            "scale",
            "name",
            "force",
            "scaler_patches",
            "seed",
        ),
        "Work": ("jobs", "timeout", "cluster", "shard", "dry_run"),
        # By itself, or its two long names leave no room for the help of others.
        "Spectrograms": ("keep",),
        "Pictures": ("show", "to"),
    }
)
def patches(
    dataset: DatasetArgument = None,
    *,
    audio: Audio = None,
    transform: TransformName = "cqt",
    per_item: PerItem = 1,
    seconds: Seconds = 15,
    starts: StartsOption = Starts.RANDOM,
    scale: ScaleOption = Scale.POSITION,
    name: PatchesName = "",
    force: Force = False,
    parameters: Parameters = None,
    scaler_patches: ScalerPatches = 300_000,
    jobs: Jobs = None,
    timeout: Timeout = None,
    cluster: Cluster = None,
    shard: Shard = None,
    keep: Keep = True,
    show: Show = None,
    to: To = None,
    dry_run: DryRun = False,
    code: Code = None,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Turn recordings into spectrogram patches; interrupted, it goes on where it was.

    A shard prepares every OF-th recording, in the order of the items; the same
    command without --shard then scales and writes them all. On a cluster, --jobs
    says how many processes each worker has.
    """
    from tartarus_cli.api.settings import patches_of_folds
    from tartarus_cli.experiments.request import seed_of
    from tartarus_cli.extraction.request import PatchesRequest
    from tartarus_cli.options import shard_of
    from tartarus_cli.workspace import open_workspace

    _check_looks(show, to, dry_run, cluster or shard)
    run_code(code)
    root = open_workspace(workspace)
    request = PatchesRequest(
        root.dataset_name(dataset),
        audio=audio,
        transform=transform,
        per_item=per_item,
        seconds=seconds,
        starts=starts.value,
        scale=scale.value,
        name=name,
        force=force,
        overrides=tuple(parameters or ()),
        scaler_patches=scaler_patches,
        jobs=jobs,
        timeout_s=timeout,
        keep_spectrograms=keep,
        seed=seed_of(root, seed),
        cluster=cluster,
        shard=shard_of(shard, cluster),
    )
    if show is not None:
        _show(root, request, show, to, json)
        return
    if dry_run:
        _forecast(root, request, json)
        return
    result = patches_of_folds(root, request, progress=render.ConsoleProgress())
    render.each_fold(result, lambda each: render.patches_result(root, each, json=json), json=json)


def _check_looks(show: str | None, to: Path | None, dry_run: bool, shared: str | None) -> None:
    """Make sure that no option would have no effect."""
    if to is not None and show is None:
        msg = "it goes with --show"
        raise typer.BadParameter(msg, param_hint="'--to'")
    if show is not None and shared is not None:
        msg = "it goes with neither --cluster nor --shard"
        raise typer.BadParameter(msg, param_hint="'--show'")
    if show is not None and dry_run:
        msg = "--show and --dry-run exclude each other"
        raise RequestError(msg, hint="Leave one of the two out.")


def _show(root: Workspace, request: PatchesRequest, show: str, to: Path | None, json: bool) -> None:
    from tartarus_cli.extraction.plot import show_patches

    picture = show_patches(root, request, show, to, progress=render.ConsoleProgress())
    render.patches_picture(root, picture, json=json)


def _forecast(root: Workspace, request: PatchesRequest, json: bool) -> None:
    from tartarus_cli.forecasting.patches import forecast_patches

    forecast = forecast_patches(root, request, progress=render.ConsoleProgress())
    render.forecast(forecast, json=json)
