"""Ranges of parameters: how they are written, and that all their values are valid."""

from pathlib import Path

import pytest

from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.ranges import Choices, parse_range
from tartarus_cli.experiments.resolve import from_toml, preset_paths, resolve, to_toml
from tartarus_cli.files import read_toml
from tartarus_cli.models.store import Model
from tartarus_cli.training.reuse import same_parameters
from tartarus_cli.tuning.space import search_space, write_override
from tests.conftest import Command

WITHOUT_PARAMETERS = {"artist_mean", "oracle", "popularity", "prior", "random"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "experiments"
    path.mkdir()
    return path


@pytest.mark.parametrize("name", preset_paths())
def test_every_preset_has_ranges_whose_values_are_valid(name: str) -> None:
    lineage, current = [], name
    while current:
        table = read_toml(preset_paths()[current])
        lineage.append(table)
        current = table.get("extends", "")
    assert any("tune" in table for table in lineage)
    ranges = resolve(name).tune
    assert bool(ranges) == (name not in WITHOUT_PARAMETERS)
    space = search_space(ranges, lambda overrides: resolve(name, overrides=overrides))
    assert [dimension.key for dimension in space] == [*ranges]


@pytest.mark.parametrize("name", preset_paths())
def test_an_experiment_as_it_is_lies_within_its_ranges_unless_it_chooses_itself(name: str) -> None:
    experiment = resolve(name)
    space = search_space(experiment.tune, lambda texts: resolve(name, overrides=texts))
    for dimension in space:
        value = dimension.value_of(experiment)
        chooses = name in (
            "knn",
            "logistic",
            "ridge_plays",
        )  # of several values, by validation items
        assert (value is None) == chooses, dimension.key
        if value is not None:
            again = resolve(name, overrides=[write_override(dimension.key, value)])
            assert again == experiment


def test_whole_numbers_and_fractions_follow_from_the_parameter() -> None:
    ranges = {
        "training.batch_size": "16..128:log",
        "network.dropout": "0..0.5",
        "training.epochs": "2..10:2",
        "network.hidden": "256,512",
    }
    space = search_space(ranges, lambda texts: resolve("rec_multi", overrides=texts))
    size, dropout, epochs, hidden = space
    assert (size.whole, size.range) == (True, parse_range("16..128:log"))
    assert not dropout.whole
    assert epochs.values() == [2, 4, 6, 8, 10]
    assert hidden.range == Choices(("256", "512"))
    assert hidden.value_of(resolve("rec_multi")) == "512"  # [512]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network.dropout=0.7..0.1", "0.7 is not less than 0.1"),
        ("network.dropout=0.1..1.5", "1.5 does not fit"),
        ("network.dropot=0.1..0.5", "Did you mean network.dropout"),
        ("network.dropout=0.1...0.5", "is no range"),
        ("network.dropout=0..0.5:log", "log is of numbers above 0"),
        ("network.dropout=0.1..0.5:log:0.1", "exclude each other"),
        ("network.dropout=0.1..0.5:loog", "'loog' is neither log, nor int"),
        ("network.hidden=[512],[-1]", "[-1] does not fit"),
        ("network.hidden=[512],,[64]", "a value is missing"),
        ("network.hidden=[512],[512]", "a value twice"),
        ("training.batch_size=1.5..8", "takes whole numbers"),
        ("dataset.name=a,b", "cannot be compared"),
        ("training.validation=0.1..0.5", "cannot be compared"),
    ],
)
def test_a_wrong_range_says_what_is_wrong(
    tartarus: Command, root: Path, text: str, said: str
) -> None:
    done = tartarus(
        "tune", "rec_multi", "text", "audio", "--dataset", "rec", "--set", text, "-w", root
    )
    assert done.status == 2
    assert said in done.err
    assert not list((root / "data" / "studies").glob("*/*"))


def test_own_ranges_are_inherited_changed_and_taken_away(folder: Path) -> None:
    (folder / "own.toml").write_text(
        'extends = "rec_multi"\n[tune]\n"network.hidden" = ""\n[tune.training]\n'
        "batch_size = [8, 16]\n"
    )
    ranges = resolve("own", folder=folder).tune
    assert "network.hidden" not in ranges
    assert ranges["training.batch_size"] == "8, 16"
    assert ranges["network.dropout"] == resolve("rec_multi").tune["network.dropout"]


def test_ranges_of_parameters_that_another_network_lacks_are_left_out(folder: Path) -> None:
    (folder / "own.toml").write_text('extends = "rec_multi"\n[network]\nname = "knn"\n')
    assert resolve("own", folder=folder).tune == {}
    assert "training.learning_rate" not in resolve("rec_multi", overrides=["network.name=knn"]).tune


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('"network.dropot" = "0.1..0.5"', "there is no parameter network.dropot"),
        ('"network.dropout" = "0.5"', "is a single value"),
        ('"network.dropout" = "0.5..x"', "is no range"),
        ('"network.dropout" = 0.5', "is no range, which is text"),
    ],
)
def test_a_wrong_range_of_an_own_file_is_named(folder: Path, line: str, said: str) -> None:
    (folder / "own.toml").write_text(f'extends = "rec_multi"\n[tune]\n{line}\n')
    with pytest.raises(RequestError, match=said) as caught:
        resolve("own", folder=folder)
    assert "own.toml" in str(caught.value)


def test_ranges_are_shown_and_survive_toml(tartarus: Command) -> None:
    done = tartarus("experiments", "show", "rec_multi")
    assert '"network.dropout" = "0.1..0.8"' in done.out.partition("[tune]")[2]
    experiment = resolve("rec_multi")
    assert from_toml(to_toml(experiment)).tune == experiment.tune
    document = tartarus("experiments", "show", "rec_multi", "--json").document
    assert document["tune"]["network.dropout"] == "0.1..0.8"


def test_a_model_is_the_same_whatever_its_experiment_would_tune() -> None:
    experiment = resolve("rec_multi")
    other = experiment.model_copy(update={"tune": {}})

    class Trained:
        def __init__(self) -> None:
            self.experiment = other

    model: Model = Trained()  # type: ignore[assignment]
    assert same_parameters(model, experiment)
