"""Packages and files of others that register variants, and a process that knows none yet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from tartarus_cli import plugins, registry
from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.audio import TRANSFORMS
from tartarus_cli.baselines import BASELINES
from tartarus_cli.encoders import ENCODERS
from tartarus_cli.metrics import METRICS
from tartarus_cli.registry import CODE_PREFIX, Registry
from tartarus_cli.text import EXTRACTORS

REGISTRIES: dict[str, Registry[Any]] = {
    "tartarus.architectures": ARCHITECTURES,
    "tartarus.baselines": BASELINES,
    "tartarus.metrics": METRICS,
    "tartarus.transforms": TRANSFORMS,
    "tartarus.extractors": EXTRACTORS,
    "tartarus.encoders": ENCODERS,
}

NETWORK = """
from __future__ import annotations

import keras

from tartarus_cli.architectures import NetworkOptions, architecture
from tartarus_cli.layers import LayerFactory


@keras.saving.register_keras_serializable(package="foreign")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


class TwinOptions(NetworkOptions):
    twins: int = 2


@architecture("twin", options=TwinOptions, most_inputs=1)
def twin(shapes, options, width, seed):
    layers = LayerFactory(seed)
    start = layers.input(shapes[0])
    x = Doubled(name="doubled")(layers.dense(start, 4 * options.twins, "relu"))
    return keras.Model(start, layers.output(x, width, options.output))
"""
METRIC = """
from tartarus_cli.metrics import metric


@metric("relevant items")
def relevant_items(ranks, _k):
    return ranks.relevant.astype(float)
"""
BASELINE = """
import numpy as np

from tartarus_cli.baselines import BASELINES, Baseline, BaselineResult


def fit(train, options):
    return BaselineResult({"mean": np.asarray(train.targets, float).mean(axis=0)})


def predict(known, items):
    return np.tile(known.arrays["mean"], (len(items.ids), 1))


BASELINES.register("average")(Baseline(fit, predict, shapes=lambda width, dim: {"mean": (dim,)}))
"""
TRANSFORM = """
from __future__ import annotations

import numpy as np

from tartarus_cli.audio import TransformOptions, transform


class LoudnessOptions(TransformOptions):
    floor: float = 0.0


@transform("loudness", options=LoudnessOptions, frequencies=lambda options: np.zeros(1))
def loudness(options):
    hop = options.hop_length

    def compute(samples):
        frames = np.pad(samples, (0, hop - len(samples) % hop)).reshape(1, -1, hop)
        return np.sqrt(np.mean(frames**2, axis=2)).astype(np.float32) + options.floor

    return compute
"""
EXTRACTOR = """
from typing import ClassVar, Literal

import numpy as np

from tartarus_cli.text import (
    DocumentRows,
    ExtractorOptions,
    FittedVocabulary,
    Vocabulary,
    extractor,
)


class Lengths(Vocabulary):
    form: ClassVar = "dense"
    extractor: Literal["lengths"] = "lengths"
    options: ExtractorOptions
    size: ClassVar[int] = 0
    width: ClassVar[int] = 1

    def transform(self, texts):
        return DocumentRows(np.array([[len(t)] for t in texts], np.float32), np.ones(len(texts)))


@extractor("lengths", options=ExtractorOptions, vocabulary=Lengths)
def fit(train, options):
    return FittedVocabulary(Lengths(options=options, documents=len([*train.texts])))
"""
ENCODER = """
import numpy as np

from tartarus_cli.encoders import EncoderOptions, LoadedEncoder, encoder


class PeakOptions(EncoderOptions):
    scale: float = 1.0


@encoder(
    "peak",
    kind="audio",
    summary="how loud the loudest sample is",
    width=lambda options, layer: 1,
    sample_rate=lambda options: 8000,
    options=PeakOptions,
)
def load(options, weights, layer):
    def encode(samples, window_s, hop_s):
        return np.abs(samples).max(keepdims=True)[None] * options.scale

    return LoadedEncoder(1, encode)
"""
CODE = {  # group → what a plug-in registers, and the code that does so
    "tartarus.architectures": ("twin", NETWORK),
    "tartarus.baselines": ("average", BASELINE),
    "tartarus.metrics": ("relevant items", METRIC),
    "tartarus.transforms": ("loudness", TRANSFORM),
    "tartarus.extractors": ("lengths", EXTRACTOR),
    "tartarus.encoders": ("peak", ENCODER),
}


class Foreign:
    """Packages to install and code to name; nothing of them lasts longer than the test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        folder.mkdir()
        monkeypatch.syspath_prepend(folder)

    def install(
        self, package: str, modules: dict[str, str], points: dict[str, dict[str, str]]
    ) -> None:
        """Lay a package where Python finds it, with entry points by group and name."""
        module = package.replace("-", "_")
        (self.folder / module).mkdir()
        for name, code in {"__init__": "", **modules}.items():
            (self.folder / module / f"{name}.py").write_text(code)
        about = self.folder / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [
            line
            for group, named in points.items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in named.items()))
        ]
        (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
        invalidate_caches()

    def restart(self) -> None:
        """Forget what packages and code registered, as a new process has."""
        for known in REGISTRIES.values():
            known._import_package()
            kept = {n: v for n, v in known._variants.items() if known._is_of_package(v.module)}
            nothing = {
                "_entry_points_loaded": False,
                "_announced": {},
                "_broken": {},
                "_warnings": [],
            }
            for name, value in ({"_variants": kept} | nothing).items():
                self._monkeypatch.setattr(known, name, value)
        self._monkeypatch.setattr(plugins, "_RUN", {})
        for name, module in [*sys.modules.items()]:
            file = getattr(module, "__file__", None) or ""
            if name.startswith(CODE_PREFIX) or Path(file).is_relative_to(self.folder):
                del sys.modules[name]
        if "keras" in sys.modules:
            import keras

            keras.saving.get_custom_objects().pop("foreign>Doubled", None)


@contextmanager
def foreign_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Foreign]:
    """Begin without plug-ins, and leave none behind."""
    foreign = Foreign(folder, monkeypatch)
    foreign.restart()
    yield foreign
    foreign.restart()


assert {*registry._REGISTRIES} >= {*REGISTRIES.values()}
