"""Presets, experiments of the workspace, and overrides."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from tartarus_cli.baselines import BASELINES
from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.experiments.resolve import from_toml, preset_paths, resolve, to_table, to_toml
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.experiments.sections import TrainingSection, ValidationSection
from tests.conftest import Command
from tests.worlds import World

AUDIO = {
    "logistic_audio_multilabel": ([[4, 70], [4, 6], [4, 1], [1, 1]], [64, 128, 128, 64]),
    "cosine_audio_multilabel": ([[4, 70], [4, 6], [4, 1], [1, 1]], [256, 512, 1024, 1024]),
    "single-label-audio": ([[4, 96], [4, 1], [4, 1]], [64, 128, 256]),
    "dummy_audio": ([[4, 96], [4, 1]], [64, 128]),
    "rec_audio": ([[4, 96], [4, 1], [4, 1], [4, 1]], [512, 1024, 2048, 2048]),
}

# experiment: dataset, task, targets, inputs, network, hidden, dropout, output, loss, batch
PUBLISHED = """
rec_sparse MSD-A-artists recommendation als-200 1 vector 2048,2048 .5 unit_norm cosine 32
rec_dense MSD-A-artists recommendation als-200 1 vector 2048,2048 .5 unit_norm cosine 32
rec_multi MSD-A-songs recommendation als-200 2 fusion 512 .7 unit_norm cosine 32
rec_audio MSD-A-songs recommendation als-200 1 audio_cnn - .5 unit_norm cosine 32
logistic_multilabel_vector MuMu-albums multilabel class-250 1 vector - 0 sigmoid binary 32
logistic_multilabel_bi MuMu-albums multilabel class-250 2 fusion - 0 sigmoid binary 32
logistic_multilabel_tri MuMu-albums multilabel class-250 3 fusion - 0 sigmoid binary 32
cosine_multilabel_vector MuMu-albums multilabel pmi-50 1 vector - .7 unit_norm cosine 32
cosine_multilabel_bi MuMu-albums multilabel pmi-50 2 fusion - .7 unit_norm cosine 32
cosine_multilabel_tri MuMu-albums multilabel pmi-50 3 fusion - .7 unit_norm cosine 32
logistic_text_multilabel MuMu-albums multilabel class-250 1 vector 2048,2048 .5 sigmoid binary 32
cosine_text_multilabel MuMu-albums multilabel pmi-50 1 vector 2048,2048 .5 sigmoid cosine 32
logistic_audio_multilabel MuMu-tracks multilabel class-250 1 audio_cnn - 0 sigmoid binary 32
cosine_audio_multilabel MuMu-tracks multilabel pmi-50 1 audio_cnn - .5 sigmoid cosine 32
single-label-audio MSD-I multiclass class-15 1 audio_cnn - .5 softmax categorical 32
single-label-vector MSD-I multiclass class-15 1 vector - .5 softmax categorical 32
single-label-multimodal MSD-I multiclass class-15 2 fusion - .5 softmax categorical 32
single-label-all MSD-I multiclass class-15 4 fusion - .5 softmax categorical 32
genres_allmusic allmusic multilabel class-766 1 mixed 1024 .5 sigmoid binary 32
genres_discogs discogs multilabel class-315 1 vector 256 .5 sigmoid binary 32
genres_lastfm lastfm multilabel class-327 1 vector 256 .5 sigmoid binary 32
genres_tagtraum tagtraum multilabel class-296 1 vector 256 .5 sigmoid binary 32
genres_discogs_singlemodal discogs multilabel class-315 1 vector - .5 sigmoid binary 32
genres_allmusic_multimodal allmusic multilabel class-766 4 fusion - .5 sigmoid binary 32
genres_discogs_multimodal discogs multilabel class-315 4 fusion - .5 sigmoid binary 32
genres_lastfm_multimodal lastfm multilabel class-327 4 fusion - .5 sigmoid binary 32
genres_tagtraum_multimodal tagtraum multilabel class-296 4 fusion - .5 sigmoid binary 32
dummy_audio SUPER multiclass class-3 1 audio_cnn - 0 softmax binary 3
dummy_text_vsm SUPER multiclass class-3 1 vector 128,128 .5 softmax binary 3
dummy_text_w2v SUPER multiclass class-3 1 text_cnn 128 .5 softmax binary 3
dummy_multimodal SUPER multiclass class-3 2 fusion - 0 sigmoid binary 32
"""


BASELINE_PRESETS = {
    "artist_mean",
    "knn",
    "oracle",
    "popularity",
    "prior",
    "random",
    "ridge",
    "logistic",
}
BLENDS = ["cold_audio", "cold_multi", "cold_sparse", "late"]
GENRES = ["genre_audio", "genre_embedding", "genre_multi", "genre_network"]
LEARNING_PLAYS = [
    *BLENDS,
    "blend",
    "ridge_plays",
    "two_tower",
    "two_tower_deep",
    "two_tower_fusion",
    "two_tower_history",
    "two_tower_single_branch",
]
PUBLISHED_PRESETS = sorted({*preset_paths()} - BASELINE_PRESETS - {*LEARNING_PLAYS, *GENRES})


def options_of(experiment: Experiment) -> Any:
    return experiment.network


def table_row(name: str) -> str:
    experiment = resolve(name)
    network, training = options_of(experiment), experiment.fitting
    hidden = ",".join(map(str, network.hidden)) or "-"
    dropout = f"{network.dropout:g}".removeprefix("0") or "0"
    loss = training.loss.removesuffix("_crossentropy")
    target = f"{experiment.targets.kind}-{experiment.targets.dim}"
    return (
        f"{name} {experiment.dataset.name} {experiment.dataset.task} {target} "
        f"{experiment.inputs.count} {network.name} "
        f"{hidden} {dropout} {network.output} {loss} {training.batch_size}"
    )


def test_the_presets_are_those_of_the_published_table_and_the_baselines() -> None:
    rows = PUBLISHED.strip().splitlines()
    assert [table_row(name) for name in PUBLISHED_PRESETS] == sorted(rows)
    assert {*BASELINES.names()} == BASELINE_PRESETS | {"ridge_plays", "blend"}
    assert BASELINE_PRESETS | {*LEARNING_PLAYS} <= {*preset_paths()}


@pytest.mark.parametrize("name", LEARNING_PLAYS)
def test_presets_that_learn_from_plays_have_much_in_common(name: str) -> None:
    experiment = resolve(name)
    assert experiment.dataset.task == "recommendation"
    assert experiment.targets.kind == "plays"
    assert not experiment.targets.normalize
    assert experiment.scoring == "dot"
    assert experiment.takes_any_settings
    assert experiment.with_settings(3).inputs.count == 3
    assert isinstance(experiment.training, TrainingSection | ValidationSection)
    assert experiment.training.validation == 0.2
    assert experiment.description
    assert not experiment.note
    assert (experiment.two_tower is None) == (not name.startswith("two_tower"))


def test_a_two_tower_network_stops_by_how_well_validation_items_rank() -> None:
    experiment = resolve("two_tower")
    training = experiment.fitting
    assert (training.loss, training.monitor) == ("softmax", "val_map")
    assert options_of(experiment).output == "linear"


@pytest.mark.parametrize("name", BLENDS)
def test_a_blend_names_presets_that_learn_from_plays_or_ridge_and_no_blends(name: str) -> None:
    experiment = resolve(name)
    assert experiment.baseline is BASELINES.get("blend")
    parts = {*options_of(experiment).names}
    assert parts
    assert parts <= {*LEARNING_PLAYS, "ridge"} - {*BLENDS, "blend"}
    assert (name in ("cold_multi", "late")) == bool(options_of(experiment).of_one_setting)


PLAYS_OVERRIDES: dict[tuple[str, str], tuple[str, str, Any]] = {
    ("two_tower", "two_tower.users=als"): ("two_tower", "users", "als"),
    ("two_tower", "two_tower.count_feature=false"): ("two_tower", "count_feature", False),
    ("two_tower", "two_tower.residual=ridge"): ("two_tower", "residual", "ridge"),
    ("two_tower", "two_tower.users_a_step=7"): ("two_tower", "users_a_step", 7),
    ("two_tower", "network.hidden=[8]"): ("network", "hidden", [8]),
    ("two_tower", "targets.dim=16"): ("targets", "dim", 16),
    ("two_tower", "training.validation=0.5"): ("training", "validation", 0.5),
    ("ridge_plays", "network.kernel=linear"): ("network", "kernel", "linear"),
    ("ridge_plays", "network.strengths=3"): ("network", "strengths", [3.0]),
    ("ridge_plays", "network.powers=[1, 2]"): ("network", "powers", [1.0, 2.0]),
    ("ridge_plays", "training.validation=0.5"): ("training", "validation", 0.5),
    ("cold_multi", 'network.parts=["knn"]'): ("network", "parts", ["knn"]),
    ("cold_multi", "network.each_dense=[]"): ("network", "each_dense", []),
    ("cold_sparse", "network.weights=[0, 1]"): ("network", "weights", [0.0, 1.0]),
}


@pytest.mark.parametrize(("name", "override"), PLAYS_OVERRIDES)
def test_an_override_of_what_learns_from_plays_is_typed(name: str, override: str) -> None:
    section, key, value = PLAYS_OVERRIDES[name, override]
    experiment = resolve(name, overrides=[override])
    assert to_table(experiment)[section][key] == value
    assert to_table(from_toml(to_toml(experiment))) == to_table(experiment)


WRONG_PLAYS = {
    ("two_tower", "two_tower.users=everybody"): "two_tower.users",
    ("two_tower", "two_tower.residual=knn"): "two_tower.residual",
    ("two_tower", "two_tower.users_a_step=0"): "two_tower.users_a_step",
    ("two_tower", "network.output=unit_norm"): "network.output has to be linear",
    ("two_tower", "training.loss=cosine"): "training.loss = softmax",
    ("two_tower", "training.monitor=val_loss"): "training.monitor = val_map",
    ("two_tower", "targets.kind=als"): "belong to targets.kind = plays, and to no other",
    ("rec_multi", "two_tower.users=free"): "two_tower",
    ("rec_multi", "training.loss=softmax"): "training.loss = softmax",
    ("rec_multi", "targets.kind=plays"): "training.loss = softmax",
    ("ridge_plays", "two_tower.users=free"): "ridge_plays is no network",
    ("ridge_plays", "targets.kind=als"): "ridge_plays takes plays",
    ("ridge_plays", "network.kernel=gaussian"): "network.kernel",
    ("ridge_plays", "network.strengths=-1"): "network.strengths",
    ("ridge_plays", "dataset.task=multilabel"): "dataset.task = multilabel",
    ("cold_multi", "network.weights=-1"): "network.weights",
    ("cold_multi", "network.weights=[]"): "network.weights",
    ("cold_multi", "network.part=knn"): "network.parts",
}


@pytest.mark.parametrize(("name", "override"), WRONG_PLAYS)
def test_a_wrong_override_of_what_learns_from_plays_is_named(name: str, override: str) -> None:
    with pytest.raises(RequestError) as caught:
        resolve(name, overrides=[override])
    assert WRONG_PLAYS[name, override] in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", PUBLISHED_PRESETS)
def test_every_preset_has_the_common_training(name: str) -> None:
    experiment = resolve(name)
    training = experiment.fitting
    assert (training.optimizer, training.learning_rate) == ("adam", 0.001)
    assert (training.epochs, training.patience, training.validation) == (100, 4, 0.2)
    softmax = options_of(experiment).output == "softmax"
    assert training.monitor == ("val_accuracy" if softmax else "val_loss")
    assert experiment.targets.normalize == (training.loss == "cosine")
    assert experiment.description


@pytest.mark.parametrize("name", AUDIO)
def test_audio_presets_have_the_published_convolutions(name: str) -> None:
    table = to_table(resolve(name))
    kernels, filters = AUDIO[name]
    assert (table["network"]["kernels"], table["network"]["filters"]) == (kernels, filters)
    assert len(table["network"]["pools"]) == len(kernels)
    assert table["patches"] == {"per_item": 1, "seconds": 15, "name": ""}


def test_the_three_doubtful_presets_carry_a_note() -> None:
    noted = {name for name in preset_paths() if resolve(name).note}
    assert noted == {"cosine_text_multilabel", "cosine_audio_multilabel", "dummy_multimodal"}


@pytest.mark.parametrize("name", sorted(preset_paths()))
def test_a_resolved_experiment_survives_its_own_toml(name: str) -> None:
    experiment = resolve(name)
    assert to_table(from_toml(to_toml(experiment))) == {
        key: value for key, value in to_table(experiment).items() if key != "extends"
    } | {"extends": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "experiments"
    path.mkdir()
    return path


def test_an_own_experiment_extends_a_preset(folder: Path) -> None:
    (folder / "mine.toml").write_text('extends = "rec_multi"\n[network]\nhidden = [64, 32]\n')
    experiment = resolve("mine", folder=folder)
    assert options_of(experiment).hidden == (64, 32)
    assert options_of(experiment).dropout == 0.7
    assert experiment.inputs.count == 2


def test_an_own_experiment_may_extend_another_own_one(folder: Path) -> None:
    (folder / "first.toml").write_text('extends = "rec_multi"\n[training]\nepochs = 3\n')
    (folder / "second.toml").write_text('extends = "first"\n[training]\npatience = 1\n')
    training = resolve("second", folder=folder).fitting
    assert (training.epochs, training.patience) == (3, 1)


def test_another_network_leaves_behind_what_it_does_not_know(folder: Path) -> None:
    (folder / "mine.toml").write_text('extends = "genres_allmusic"\n[network]\nname = "vector"\n')
    assert "width" not in to_table(resolve("mine", folder=folder))["network"]


BROKEN = {
    "extends itself": ('extends = "mine"', "extends itself: mine → mine"),
    "extends nothing": (
        'extends = "rec_mult"',
        "mine.toml extends 'rec_mult', and there is no such",
    ),
    "is no TOML": ("[network", "not valid TOML"),
    "has NUL bytes": ("seed = 3\0", "not valid TOML"),
    "has an unknown key": ('extends = "rec_multi"\n[training]\nepoch = 3', "training.epoch"),
    "has a wrong type": ('extends = "rec_multi"\n[training]\nepochs = "many"', "training.epochs"),
    "is empty": ("", "dataset"),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_broken_file_is_named_with_its_fault(why: str, folder: Path) -> None:
    text, message = BROKEN[why]
    (folder / "mine.toml").write_text(text)
    with pytest.raises(RequestError, match=message):
        resolve("mine", folder=folder)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_file_whose_mark_shows_its_encoding_is_read(
    encoding: str, tartarus: Command, world: World
) -> None:
    (world.root / "experiments").mkdir()
    path = world.root / "experiments" / "mine.toml"
    path.write_bytes('extends = "rec_multi"\nnote = "é"\n'.encode(encoding))
    shown = tartarus("experiments", "show", "mine", "-w", world.root)
    assert shown.status == 0
    assert ("save it as UTF-8" in shown.err) == (encoding != "utf-8-sig")
    path.write_bytes('extends = "rec_multi"\nnote = "é"\n'.encode("cp1252"))
    refused = tartarus("experiments", "show", "mine", "-w", world.root)
    assert (refused.status, "bytes that are not UTF-8 in line 2" in refused.err) == (2, True)
    assert "Save it as UTF-8." in refused.err


def test_what_a_compressed_file_holds_is_bounded(folder: Path) -> None:
    (folder / "mine.toml").write_bytes(gzip.compress(b"#" * (8 << 20)))
    with pytest.raises((FileError, RequestError), match="more than 1 MiB when decompressed"):
        resolve("mine", folder=folder)


def test_a_fault_of_an_own_file_is_not_blamed_on_the_command(folder: Path) -> None:
    (folder / "mine.toml").write_text('extends = "rec_multi"\n[training]\nepoch = 3')
    with pytest.raises(RequestError, match=r"mine\.toml: there is no parameter training\.epoch"):
        resolve("mine", folder=folder, overrides=["training.epochs=2"])


def test_a_misspelt_key_is_not_swallowed_by_a_change_of_network() -> None:
    with pytest.raises(RequestError, match=r"no parameter network\.widht"):
        resolve("rec_dense", overrides=["network.widht=7", "network.name=mixed"])


def test_an_own_file_must_not_hide_a_preset(folder: Path) -> None:
    (folder / "rec_multi.toml").write_text('extends = "rec_sparse"')
    with pytest.raises(RequestError, match="has the name of a preset"):
        resolve("rec_multi", folder=folder)


OVERRIDES: dict[str, tuple[str, str, Any]] = {
    "training.batch_size=64": ("training", "batch_size", 64),
    "training.learning_rate=1e-4": ("training", "learning_rate", 1e-4),
    "network.hidden=[8, 4]": ("network", "hidden", [8, 4]),
    "network.hidden=8": ("network", "hidden", [8]),
    "network.output=linear": ("network", "output", "linear"),
    'network.output="linear"': ("network", "output", "linear"),
    "targets.kind=pmi": ("targets", "kind", "pmi"),
    "targets.normalize=false": ("targets", "normalize", False),
}


@pytest.mark.parametrize("text", OVERRIDES)
def test_an_override_is_typed(text: str) -> None:
    section, key, value = OVERRIDES[text]
    assert to_table(resolve("rec_multi", overrides=[text]))[section][key] == value


WRONG = {
    "training.batchsize=64": ("no parameter training.batchsize", "training.batch_size"),
    "trainig.epochs=3": ("no parameter trainig", "training"),
    "training.batch_size=many": ("training.batch_size", ""),
    "training.batch_size=0": ("training.batch_size", ""),
    "training.batch_size=true": ("training.batch_size", ""),
    "training.learning_rate=inf": ("training.learning_rate", ""),
    "network.hidden=0": ("network.hidden", ""),
    "dataset.name=a_b": ("it holds no underscore", ""),
    "network.dropout=1.5": ("network.dropout", ""),
    "network.kernels=3": ("no parameter network.kernels", "network."),
    "network.name=fuson": ("no network called 'fuson'", "fusion"),
    "targets.kind=class": ("recommendation takes als or pmi or plays", ""),
    "patches.seconds=3": ("patches", ""),
    "inputs.kind=patches": ("the network fusion reads features", ""),
    "batch_size=64": ("section.key=value", "training.batch_size=64"),
    "training.batch_size": ("section.key=value", ""),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_override_says_what_is_wrong_and_what_is_near(text: str) -> None:
    message, near = WRONG[text]
    with pytest.raises(RequestError) as caught:
        resolve("rec_multi", overrides=[text])
    assert message in str(caught.value)
    assert near in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_vector_network_takes_one_input_only() -> None:
    with pytest.raises(RequestError, match="vector takes at most 1"):
        resolve("rec_sparse", overrides=["inputs.count=2"])


BOTH = "network.name=audio_with_vector"


def test_inputs_of_several_kinds_set_their_count() -> None:
    kinds = 'inputs.kind=["patches", "features"]'
    experiment = resolve("rec_audio", overrides=[kinds, BOTH])
    assert experiment.inputs.kinds == ("patches", "features")
    assert experiment.inputs.count == 2
    assert experiment.settings_needed == 1
    assert experiment.patches is not None
    assert to_table(experiment)["inputs"] == {"kind": ["patches", "features"], "count": 2}
    assert from_toml(to_toml(experiment)).inputs == experiment.inputs


OUTPUTS = {
    "genre_network": ("sigmoid", "binary_crossentropy", "val_loss"),
    "genre_network dataset.task=multiclass": (
        "softmax",
        "categorical_crossentropy",
        "val_accuracy",
    ),
    "genre_audio": ("sigmoid", "binary_crossentropy", "val_loss"),
    "genre_audio dataset.task=multiclass": (
        "softmax",
        "categorical_crossentropy",
        "val_accuracy",
    ),
    "genre_network targets.kind=pmi": ("unit_norm", "cosine", "val_loss"),
    "genre_network network.output=softmax": ("softmax", "binary_crossentropy", "val_accuracy"),
}


@pytest.mark.parametrize("text", OUTPUTS)
def test_output_and_loss_follow_the_task_where_an_experiment_leaves_them_out(text: str) -> None:
    name, *overrides = text.split()
    experiment = resolve(name, overrides=overrides)
    training = experiment.fitting
    found = options_of(experiment).output, training.loss, training.monitor
    assert found == OUTPUTS[text]
    assert from_toml(to_toml(experiment)) == experiment


def test_an_experiment_may_read_any_number_of_settings() -> None:
    experiment = resolve("genre_network")
    assert experiment.inputs.count == "any"
    assert [experiment.with_settings(n).inputs.count for n in (1, 3)] == [1, 3]
    with pytest.raises(RequestError, match=r"inputs\.count: 'many' is neither a number of inputs"):
        resolve("genre_network", overrides=["inputs.count=many"])
    with pytest.raises(RequestError, match=r"inputs\.count = any: vector takes 1"):
        resolve("genre_network", overrides=["network.name=vector"])


def test_one_kind_of_input_stays_a_plain_name() -> None:
    assert to_table(resolve("rec_multi"))["inputs"] == {"kind": "features", "count": 2}
    experiment = resolve("rec_sparse", overrides=['inputs.kind=["features"]'])
    assert to_table(experiment)["inputs"] == {"kind": "features", "count": 1}


@pytest.mark.parametrize(
    ("name", "kinds", "settings"),
    [
        ("rec_multi", ("features", "features"), 2),
        ("single-label-all", ("features",) * 4, 4),
        ("rec_audio", ("patches",), 0),
        ("dummy_text_w2v", ("sequence",), 1),
    ],
)
def test_each_input_has_a_kind(name: str, kinds: tuple[str, ...], settings: int) -> None:
    experiment = resolve(name)
    assert experiment.inputs.kinds == kinds
    assert experiment.settings_needed == settings
    assert (experiment.patches is not None) == ("patches" in kinds)


WRONG_KINDS = {
    'inputs.kind=["patches", "features"]': "the network fusion reads features",
    'inputs.kind=["features", "features", "features"]': "kind names 3 inputs, and count says 2",
    "inputs.kind=[]": "kind names 0 inputs",
    "inputs.kind=pachtes": "inputs.kind: 'pachtes' is none of features, patches, sequence",
    'inputs.kind=["features", 3]': "inputs.kind: 3 is none of features, patches, sequence",
    BOTH: "audio_with_vector reads one input of each kind: patches, features",
}


@pytest.mark.parametrize("text", WRONG_KINDS)
def test_wrong_kinds_of_inputs_are_reported(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        resolve("rec_multi", overrides=[text])
    assert WRONG_KINDS[text] in str(caught.value)


def test_the_kinds_of_inputs_have_an_order() -> None:
    overrides = [BOTH, 'inputs.kind=["features", "patches"]']
    with pytest.raises(RequestError, match="features, patches: the network audio_with_vector"):
        resolve("rec_audio", overrides=overrides)


def test_list_names_presets_and_own_ones_and_reports_broken_ones(
    tartarus: Command, world: World
) -> None:
    folder = world.root / "experiments"
    folder.mkdir()
    (folder / "mine.toml").write_text('extends = "rec_multi"')
    (folder / "broken.toml").write_text("[network")
    shown = tartarus("experiments", "list", "-w", world.root, "--json").document
    by_name = {row["name"]: row for row in shown}
    assert set(preset_paths()) | {"mine", "broken"} == set(by_name)
    assert by_name["mine"]["network"]["name"] == "fusion"
    assert "not valid TOML" in by_name["broken"]["problem"]
    text = tartarus("experiments", "list", "-w", world.root)
    assert "your own" in text.out
    assert "cannot be read" in text.out


def test_show_prints_every_parameter(tartarus: Command) -> None:
    shown = tartarus("experiments", "show", "rec_multi", "--json").document
    assert shown == to_table(resolve("rec_multi"))
    text = tartarus("experiments", "show", "cosine_text_multilabel")
    assert "note: The published output is a sigmoid" in text.out
    assert "hidden = [2048, 2048]" in text.out


def test_show_of_a_misspelt_name_exits_2_with_a_near_one(tartarus: Command) -> None:
    shown = tartarus("experiments", "show", "rec_mutli")
    assert shown.status == 2
    assert "rec_multi" in shown.err


@pytest.mark.parametrize(("several", "task"), [(True, "multilabel"), (False, "multiclass")])
def test_a_classification_is_of_the_kind_that_the_classes_show(
    tartarus: Command, tmp_path: Path, *, several: bool, task: str
) -> None:
    World(tmp_path).classification("genres", several=several)
    words = ("show", "genre_network", "--dataset", "genres", "-w", tmp_path, "--json")
    found = tartarus("experiments", *words).document
    assert found["dataset"] == {"name": "genres", "task": task}
    assert found["targets"] == {"kind": "class", "dim": 3, "normalize": False}


def test_a_network_of_genres_is_not_for_plays_and_reads_a_setting_at_least(
    tartarus: Command, tmp_path: Path
) -> None:
    World(tmp_path).recommendation("rec")
    World(tmp_path).classification("genres", several=True)
    refused = tartarus("run", "genre_network", "text", "--dataset", "rec", "-w", tmp_path)
    assert refused.status == 2
    assert "rec is for recommendation, and has no classes" in refused.err
    for name, dataset in (("genre_network", "genres"), ("two_tower", "rec")):
        refused = tartarus("run", name, "--dataset", dataset, "-w", tmp_path)
        assert refused.status == 2
        assert f"{name} takes 1 setting or more, and was given none" in refused.err
