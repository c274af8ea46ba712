"""Parameters of the training of a network that exclude each other."""

from __future__ import annotations

import pytest

from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.resolve import from_toml, resolve, to_table, to_toml
from tartarus_cli.experiments.sections import AugmentSection

WRONG = {
    ("rec_audio", "training.crops=20"): "training.crops to 15 or less, or patches.seconds to 20",
    ("rec_sparse", "training.crops=3"): "training.crops = 3: crops are cut out of patches",
    ("rec_audio", "training.class_weights=balanced"): "targets.kind = als are no classes",
    (
        "genre_network",
        "training.class_weights=balanced training.loss=mean_squared_error",
    ): "training.loss has to be binary_crossentropy or categorical_crossentropy",
    ("rec_audio", "training.schedule=plateau training.warmup=0.1"): "training.warmup to 0",
    ("rec_audio", "augment.time_masks=2"): "set augment.time_mask too",
    ("rec_audio", "augment.time_mask=2"): "set augment.time_masks too",
    ("rec_audio", "augment.frequency_mask=2"): "set augment.frequency_masks too",
    ("rec_audio", "augment.time_mask=3 augment.time_masks=1 training.crops=3"): "less than 3",
    ("rec_audio", "augment.shift=15"): "set augment.shift to less than 15",
    ("rec_sparse", "augment.gain=3"): "augment.gain = 3: only patches can be changed so",
    ("two_tower", "augment.mixup=0.2"): "set augment.mixup to 0",
    ("rec_sparse", "augment.mixup=0.2 scoring=norm"): "scoring = norm learns the norm",
    ("dummy_text_w2v", "augment.mixup=0.2"): "inputs.kind = sequence is of words",
    ("knn", "augment.mixup=0.2"): "knn is no network",
    ("rec_audio", "augment.mix=0.2"): "Did you mean augment.mixup",
}


@pytest.mark.parametrize(("name", "overrides"), WRONG)
def test_what_cannot_go_together_is_refused_with_what_to_set_instead(
    name: str, overrides: str
) -> None:
    with pytest.raises(RequestError) as caught:
        resolve(name, overrides=overrides.split())
    assert WRONG[name, overrides] in f"{caught.value} {caught.value.hint}"


RIGHT = {
    ("rec_audio", "training.crops=15"),
    ("rec_audio", "training.crops=20 patches.seconds=30"),
    ("rec_audio", "training.crops=3 augment.time_masks=2 augment.time_mask=0.5 augment.shift=1"),
    ("rec_sparse", "augment.mixup=0.2 training.schedule=plateau"),
    ("genre_network", "training.class_weights=balanced training.ties=loss"),
    ("single-label-audio", "augment.mixup=0.2 training.class_weights=balanced"),
}


@pytest.mark.parametrize(("name", "overrides"), sorted(RIGHT))
def test_what_goes_together_survives_its_own_toml(name: str, overrides: str) -> None:
    experiment = resolve(name, overrides=overrides.split())
    again = to_table(from_toml(to_toml(experiment)))
    assert again == {**to_table(experiment), "extends": ""}


def test_warm_up_and_weight_decay_follow_the_schedule_and_the_optimizer() -> None:
    def fitting(*overrides: str) -> tuple[float, float]:
        training = resolve("rec_audio", overrides=overrides).fitting
        return training.warmup, training.weight_decay

    assert fitting() == (0, 0)
    assert fitting("training.schedule=one_cycle", "training.optimizer=adamw") == (0.3, 0.004)
    assert fitting("training.schedule=one_cycle", "training.warmup=0.0") == (0, 0)
    assert fitting("training.optimizer=adamw", "training.weight_decay=0.05") == (0, 0.05)


def test_the_record_of_a_model_without_the_new_parameters_is_one_of_whole_patches() -> None:
    table = to_table(resolve("rec_audio"))
    text = to_toml(resolve("rec_audio"))
    lines = text.partition("[augment]")[0].splitlines()
    new = ("crops", "schedule", "warmup", "weight_decay", "class_weights", "patience_steps", "ties")
    earlier = "\n".join(line for line in lines if not line.startswith(new))
    experiment = from_toml(earlier)
    assert "crops" not in earlier
    assert experiment.augment == AugmentSection()
    assert {**to_table(experiment), "tune": 0} == {**table, "extends": "", "tune": 0}


def test_a_baseline_in_the_place_of_a_network_has_nothing_to_augment() -> None:
    assert "augment" not in to_table(resolve("rec_audio", overrides=["network.name=knn"]))
