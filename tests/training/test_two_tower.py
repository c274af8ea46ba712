"""The two-tower network: its loss, its steps, its item tower, and what it learns."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.architectures import ARCHITECTURES, InputKind
from tartarus_cli.data.features import Matrix, RowSelection
from tartarus_cli.data.items import ItemSet
from tartarus_cli.errors import DataError, RequestError, TrainingError
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.losses import softmax_loss
from tartarus_cli.models.networks import layers_of, load_network
from tartarus_cli.models.store import Model
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.item_tower import build_item_tower
from tartarus_cli.training.two_tower import (
    FreeUsers,
    FrozenUsers,
    HistoryUsers,
    TowerExamples,
    TowerOptions,
    TwoTower,
    TwoTowerFit,
    Users,
    fit_two_tower,
)
from tartarus_cli.training.two_tower_steps import Offset, Steps, draw_step
from tartarus_cli.training.two_tower_users import history_part, history_vectors
from tests.architectures.test_architectures import SHAPES, WORDS, kinds_of
from tests.architectures.test_architectures import network_of as small_network

Rows = NDArray[np.float32]
TASTES, WIDTH, ITEMS, USERS, NEW = 6, 40, 240, 90, 60
DIM = 8


def tastes_of(seed: int, items: int) -> tuple[csr_array, csr_array]:
    """Make items whose features tell the taste of who plays them: features, and plays."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(TASTES, size=items)
    features = (rng.random((items, WIDTH)) < 0.08).astype(np.float32)
    features[np.arange(items), kind] = 1
    likes = np.arange(USERS) % TASTES == kind[:, None]
    plays = rng.random((items, USERS)) < np.where(likes, 0.5, 0.03)
    return csr_array(features), csr_array(plays.astype(np.int8))


def item_set(*matrices: csr_array | Rows) -> ItemSet:
    inputs = tuple(Matrix(Path(), values) for values in matrices)
    return ItemSet("train", [], inputs, np.arange(inputs[0].shape[0]))


def network_of(widths: Sequence[int], dim: int = DIM, **options: Any) -> keras.Model:
    name = "vector" if len(widths) == 1 else "fusion"
    architecture = ARCHITECTURES.get(name)
    values = architecture.options.model_validate({"name": name, "output": "linear"} | options)
    return architecture.build([(width,) for width in widths], values, dim + 1, 3)


def vectors_of(tower: keras.Model, *inputs: csr_array | Rows) -> Rows:
    dense = [x.toarray() if isinstance(x, csr_array) else x for x in inputs]
    return np.asarray(tower.predict_on_batch(dense if len(dense) > 1 else dense[0]))


def mean_average_precision(scores: Rows, plays: csr_array) -> float:
    """MAP over all items, of ``(users, items)``; users of no item are left out."""
    ranked = plays.toarray().T[np.arange(len(scores))[:, None], np.argsort(-scores, axis=1)] > 0
    precisions = np.cumsum(ranked, axis=1) / np.arange(1, ranked.shape[1] + 1)
    played = ranked.any(axis=1)
    sums = (precisions * ranked).sum(axis=1)[played] / ranked.sum(axis=1)[played]
    return float(sums.mean())


FEATURES, PLAYS = tastes_of(0, ITEMS)
NEW_FEATURES, NEW_PLAYS = tastes_of(1, NEW)


def judge(model: TwoTower) -> float:
    vectors = vectors_of(model.tower, NEW_FEATURES)
    users = model.users.rows(slice(None))
    return mean_average_precision(users @ vectors[:, :-1].T + vectors[:, -1], NEW_PLAYS)


def fit_on(  # noqa: PLR0913 — what the tests differ in
    folder: Path,
    users: Users,
    *,
    network: keras.Model | None = None,
    items: ItemSet | None = None,
    kinds: Sequence[InputKind] = ("features",),
    plays: csr_array = PLAYS,
    rows: NDArray[np.int64] | None = None,
    offset: Offset | None = None,
    seed: int = 0,
    epochs: int = 2,
    **options: Any,
) -> TwoTowerFit:
    training = TrainingSection(
        loss="cosine",
        monitor="val_loss",
        learning_rate=options.pop("learning_rate", 0.01),
        batch_size=options.pop("batch_size", 64),
        epochs=epochs,
        patience=options.pop("patience", 4),
    )
    judged = options.pop("judge", judge)
    rows = np.arange(plays.shape[0]) if rows is None else rows
    items = items or item_set(FEATURES)
    examples = TowerExamples(items, kinds, rows, plays, judged, offset)
    return fit_two_tower(
        network or network_of([WIDTH], dropout=0.2),
        examples,
        users,
        options=TowerOptions(training, seed, **options),
        course=TrainingCourse(folder / "history.csv"),
        progress=UNWATCHED,
    )


def bytes_of(fitted: TwoTowerFit) -> list[bytes]:
    weights = [np.asarray(weight).tobytes() for weight in fitted.model.tower.get_weights()]
    return [*weights, fitted.model.users.rows(slice(None)).tobytes()]


def frozen_users(seed: int = 5, dim: int = DIM) -> FrozenUsers:
    """Return vectors of users of the same taste that are near each other."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((TASTES, dim)) * 5
    near = centres[np.arange(USERS) % TASTES] + rng.standard_normal((USERS, dim))
    return FrozenUsers(Matrix(Path(), near.astype(np.float32)))


KINDS: list[Users] = [FreeUsers(), frozen_users(), HistoryUsers()]


def test_the_gradient_of_the_softmax_agrees_with_finite_differences() -> None:
    import jax

    rng = np.random.default_rng(0)
    scores = rng.standard_normal((5, 7))
    positives = (rng.random((5, 7)) < 0.4).astype(np.uint8)
    positives[3] = 0

    def direct(values: NDArray[np.float64]) -> float:
        chances = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
        return float(-(positives * np.log(chances)).sum() / positives.sum())

    single = scores.astype(np.float32)
    assert float(softmax_loss(positives, single)) == pytest.approx(direct(scores), rel=1e-5)
    gradient = np.asarray(jax.grad(lambda s: softmax_loss(positives, s))(single))
    for place in np.ndindex(*scores.shape):
        step = np.zeros_like(scores)
        step[place] = 1e-5
        slope = (direct(scores + step) - direct(scores - step)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-5)
    assert not gradient[3].any()


def test_rows_that_stand_for_no_user_change_neither_loss_nor_gradient() -> None:
    import jax

    rng = np.random.default_rng(0)
    scores = rng.standard_normal((4, 6)).astype(np.float32)
    positives = (rng.random((4, 6)) < 0.5).astype(np.uint8)
    more = np.vstack([scores, 30 * rng.standard_normal((3, 6), np.float32)])
    padded = np.vstack([positives, np.zeros((3, 6), np.uint8)])
    slope = jax.grad(softmax_loss, argnums=1)
    assert float(softmax_loss(padded, more)) == pytest.approx(
        float(softmax_loss(positives, scores)), rel=1e-6
    )
    assert np.asarray(slope(padded, more))[:4] == pytest.approx(
        np.asarray(slope(positives, scores)), abs=1e-6
    )
    assert not np.asarray(slope(padded, more))[4:].any()


def test_a_step_without_any_play_costs_nothing() -> None:
    assert float(softmax_loss(np.zeros((2, 3), np.uint8), np.ones((2, 3), np.float32))) == 0


def test_users_without_a_positive_are_left_out_and_the_others_keep_theirs() -> None:
    rng = np.random.default_rng(0)
    items = rng.permutation(ITEMS)[:20]
    step = draw_step(PLAYS, items, USERS, USERS, rng)
    dense = PLAYS.toarray()[items]
    assert step.users.tolist() == np.flatnonzero(dense.any(axis=0)).tolist()
    assert (step.positives[: len(step.users)] == dense[:, step.users].T).all()
    assert not step.positives[len(step.users) :].any()


def test_no_more_users_than_allowed_are_in_a_step() -> None:
    rng = np.random.default_rng(0)
    items = rng.permutation(ITEMS)[:20]
    seen = set()
    for _ in range(30):
        step = draw_step(PLAYS, items, 7, 7, rng)
        assert len(step.users) == 7
        assert (step.positives == PLAYS.toarray()[np.ix_(items, step.users)].T).all()
        seen |= set(step.users.tolist())
    assert len(seen) > 60


class Numbers:
    """Users as their own numbers."""

    def read(
        self, _items: NDArray[np.int64], users: NDArray[np.int64], size: int
    ) -> tuple[NDArray[Any], ...]:
        """Return the numbers, and -1 for nobody."""
        return (np.pad(users, (0, size - len(users)), constant_values=-1),)


def steps_of(items: ItemSet, plays: csr_array, batch: int, users: int = USERS) -> Steps:
    return Steps(
        items,
        np.arange(plays.shape[0]),
        plays,
        Numbers(),
        batch_size=batch,
        most_users=users,
        offset=None,
        seed=0,
    )


def test_an_epoch_has_every_item_and_its_last_step_begins_again_with_the_first() -> None:
    numbers = np.arange(10, dtype=np.float32)[:, None]
    plays = csr_array(np.ones((10, 3), np.int8))
    steps = steps_of(item_set(numbers), plays, 4)
    orders = []
    for _ in range(2):
        drawn = [steps[index][0][0][:, 0].tolist() for index in range(len(steps))]
        assert [len(items) for items in drawn] == [4, 4, 4]
        order = [number for items in drawn for number in items]
        assert sorted(order[:10]) == numbers[:, 0].tolist()
        assert order[10:] == order[:2]
        orders.append(order)
        steps.reshuffle()
    assert orders[0] != orders[1]
    assert len(steps_of(item_set(numbers), plays, 64)[0][0][0]) == 10


def test_all_steps_have_the_same_shapes_and_few_rows_where_plays_are_few() -> None:
    plays = csr_array((np.ones(12, np.int8), (np.arange(12), np.arange(12) * 5)), (12, USERS))
    steps = steps_of(item_set(np.ones((12, 2), np.float32)), plays, 4)
    for index in range(len(steps)):
        (_, users), positives = steps[index]
        assert len(users) == len(positives) == steps.size == 4


class Samples(ItemSet):
    """Items whose inputs are the numbers of their samples."""

    def read(self, samples: RowSelection) -> tuple[Rows, ...]:
        """Return the numbers."""
        assert isinstance(samples, np.ndarray)
        return (samples.astype(np.float32),)


def test_one_of_the_samples_of_an_item_is_drawn_and_items_without_any_are_left_out() -> None:
    owners = np.array([0, 0, 0, 2, 2, 3])
    steps = steps_of(Samples("train", list("abcd"), (), owners), csr_array(np.ones((4, 2))), 8)
    seen: set[int] = set()
    for _ in range(20):
        samples = steps[0][0][0].astype(int)
        assert sorted(owners[samples].tolist()) == [0, 2, 3]
        seen |= set(samples.tolist())
        steps.reshuffle()
    assert seen == set(range(6))


@pytest.mark.parametrize("users", KINDS, ids=["free", "frozen", "history"])
def test_it_learns_who_likes_what_and_keeps_the_best_epoch(tmp_path: Path, users: Users) -> None:
    fitted = fit_on(tmp_path, users, epochs=15, learning_rate=0.03)
    popular = np.tile(np.random.default_rng(0).random(NEW), (USERS, 1)).astype(np.float32)
    chance = mean_average_precision(popular, NEW_PLAYS)
    best = fitted.result.validation_map
    assert best is not None
    assert best > 2 * chance
    assert judge(fitted.model) == pytest.approx(best, abs=1e-6)
    header, *lines = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "epoch,loss,val_map,seconds"
    maps = [float(line.split(",")[2]) for line in lines]
    assert len(maps) == fitted.result.epochs
    assert maps[fitted.result.best_epoch - 1] == max(maps) == best
    assert fitted.result.validation_loss is None


def test_training_stops_when_the_ranking_gets_no_better(tmp_path: Path) -> None:
    values = iter([0.1, 0.3, 0.2, 0.3, 0.1, 0.0, 0.0])
    weights = []

    def falling(model: TwoTower) -> float:
        weights.append(model.tower.get_weights())
        return next(values)

    fitted = fit_on(tmp_path, FreeUsers(), epochs=9, patience=3, judge=falling)
    assert (fitted.result.epochs, fitted.result.best_epoch) == (5, 2)
    assert fitted.result.validation_map == 0.3
    for now, best in zip(fitted.model.tower.get_weights(), weights[1], strict=True):
        assert (now == best).all()


@pytest.mark.parametrize("users", KINDS, ids=["free", "frozen", "history"])
def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path: Path, users: Users) -> None:
    runs = [bytes_of(fit_on(tmp_path, users, seed=seed, users_a_step=40)) for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_users_without_plays_keep_vectors_of_zeros(tmp_path: Path) -> None:
    plays = PLAYS.toarray()
    plays[:, 4] = 0
    fitted = fit_on(tmp_path, FreeUsers(), plays=csr_array(plays))
    norms = np.linalg.norm(fitted.model.users.rows(slice(None)), axis=1)
    assert np.flatnonzero(norms == 0).tolist() == [4]


def test_frozen_users_stay_and_the_items_are_scaled_to_them(tmp_path: Path) -> None:
    users = frozen_users()
    before = users.vectors.rows(slice(None)).copy()
    network = network_of([WIDTH])
    fitted = fit_on(tmp_path, users, network=network, count_feature=False)
    assert fitted.model.users is users.vectors
    assert (users.vectors.rows(slice(None)) == before).all()
    scale = 3**0.5 / np.linalg.norm(before, axis=1).mean()
    plain = vectors_of(network, NEW_FEATURES)
    scaled = vectors_of(fitted.model.tower, NEW_FEATURES)
    assert scaled[:, :-1] == pytest.approx(plain[:, :-1] * scale, rel=1e-4, abs=1e-6)
    assert scaled[:, -1] == pytest.approx(plain[:, -1])


def counts_of(tower: keras.Model) -> dict[str, float]:
    config = tower.get_layer("feature_count").get_config()
    return {name: config[name] for name in ("mean", "deviation")}


def test_the_number_of_features_is_standardised_with_the_fit_items_alone(tmp_path: Path) -> None:
    fit_rows = np.arange(0, ITEMS, 2)
    values = FEATURES.toarray()
    values[1::2] = 7  # items that are held out have all features
    with_zeros = csr_array(values)
    with_zeros.data[:5] = 0  # stored all the same
    fitted = fit_on(
        tmp_path,
        FreeUsers(),
        items=item_set(with_zeros),
        rows=fit_rows,
        plays=csr_array(PLAYS[fit_rows]),
        epochs=1,
    )
    logs = np.log1p(np.count_nonzero(with_zeros.toarray()[fit_rows], axis=1))
    expected = {"mean": logs.mean(), "deviation": logs.std()}
    assert counts_of(fitted.model.tower) == pytest.approx(expected)


def test_the_number_of_features_adds_to_vector_and_bias(tmp_path: Path) -> None:
    dense = np.abs(np.random.default_rng(0).standard_normal((ITEMS, 3), np.float32)) + 1
    dense[::3, 0] = 0
    network = network_of([WIDTH, 3], dropout=0.2)
    items = item_set(FEATURES, dense)
    kinds: tuple[InputKind, ...] = ("features", "features")
    fitted = fit_on(
        tmp_path,
        FreeUsers(),
        network=network,
        items=items,
        kinds=kinds,
        judge=lambda _: 0.5,
    )
    tower = fitted.model.tower
    numbers = np.log1p((FEATURES.toarray() != 0).sum(axis=1) + (dense != 0).sum(axis=1))
    parts = np.outer((numbers - numbers.mean()) / numbers.std() / 2, np.ones(DIM + 1))
    weights = np.asarray(tower.get_layer("count_weights").kernel)
    expected = vectors_of(network, FEATURES, dense) + parts * weights
    assert vectors_of(tower, FEATURES, dense) == pytest.approx(expected, abs=1e-5)
    assert np.abs(weights).min() > 0


@pytest.mark.parametrize("kind", ["features", "sequence"])
def test_where_all_items_have_as_many_features_their_number_is_left_out(
    tmp_path: Path, kind: InputKind
) -> None:
    rng = np.random.default_rng(0)
    matrix: csr_array | Rows = FEATURES
    if kind == "features":
        matrix = rng.standard_normal((ITEMS, WIDTH)).astype(np.float32)
    fitted = fit_on(tmp_path, FreeUsers(), items=item_set(matrix), kinds=[kind], epochs=1)
    assert "feature_count" not in [layer.name for layer in fitted.model.tower.layers]


def test_the_number_of_features_of_a_dense_setting_counts_for_nothing_where_items_lack_it() -> None:
    dense = np.random.default_rng(0).standard_normal((ITEMS, 5)).astype(np.float32)
    dense[::3] = 0
    network, every = network_of([WIDTH, 5]), np.arange(ITEMS)
    tower = build_item_tower(
        network, item_set(FEATURES, dense), every, counted=[0, 1], scale=1, seed=0
    )
    logs = np.log1p(FEATURES.count_nonzero(axis=1))
    assert counts_of(tower) == pytest.approx({"mean": logs.mean(), "deviation": logs.std()})
    alone = build_item_tower(network_of([5]), item_set(dense), every, counted=[0], scale=1, seed=0)
    assert "feature_count" not in [layer.name for layer in alone.layers]


def test_more_or_fewer_features_than_any_fit_item_has_count_as_the_most_or_the_fewest() -> None:
    network = network_of([WIDTH])
    tower = build_item_tower(
        network, item_set(FEATURES), np.arange(ITEMS), counted=[0], scale=1, seed=0
    )
    inner = keras.Model(tower.inputs, tower.get_layer("feature_count").output)
    counts = FEATURES.count_nonzero(axis=1)
    fewest, most = counts.argmin(), counts.argmax()
    ends = inner.predict_on_batch(FEATURES[[fewest, most]].toarray())
    beyond = inner.predict_on_batch(np.array([[0.0] * WIDTH, [1.0] * WIDTH], np.float32))
    assert beyond == pytest.approx(ends)
    assert ends[0] < ends[1]


def test_the_weights_of_a_linear_tower_start_with_a_deviation_of_a_tenth(tmp_path: Path) -> None:
    network = network_of([WIDTH], dim=300, dropout=0.3)
    deep = network_of([WIDTH], hidden=(16,))
    first = np.asarray(deep.layers[-1].kernel).copy()
    seen: list[float] = []

    def deviation(_: TwoTower) -> float:
        seen.append(float(np.asarray(network.layers[-1].kernel).std()))
        return 0.5

    tiny: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-9, "count_feature": False}
    fit_on(tmp_path, FreeUsers(), network=network, judge=deviation, **tiny)
    assert seen == pytest.approx([0.1], rel=0.05)
    fit_on(tmp_path, FreeUsers(), network=deep, **tiny)
    assert np.asarray(deep.layers[-1].kernel) == pytest.approx(first, abs=1e-6)


@pytest.mark.parametrize("users", KINDS, ids=["free", "frozen", "history"])
def test_a_saved_tower_predicts_new_items_alike_from_their_features_alone(
    tmp_path: Path, users: Users
) -> None:
    tower = fit_on(tmp_path, users).model.tower
    assert loaded_like(tower, tmp_path, "vector", [NEW_FEATURES])


def test_scores_of_another_model_are_added_with_a_weight_that_is_learnt(tmp_path: Path) -> None:
    taste = np.arange(USERS) % TASTES
    kinds = FEATURES.toarray()[:, :TASTES]
    asked = []

    def offset(items: NDArray[np.int64], users: NDArray[np.int64]) -> Rows:
        asked.append((items, users))
        return np.asarray(kinds[np.ix_(items, taste[users])].T)

    first: list[Rows] = []

    def start(model: TwoTower) -> float:
        first.append(model.users.rows(slice(None)).copy())
        return 0.5

    fitted = fit_on(tmp_path, FreeUsers(), offset=offset, judge=start, learning_rate=1e-6, epochs=1)
    assert np.abs(first[0]).max() < 1e-4  # they start from 0
    assert fitted.model.log_weight == pytest.approx(0, abs=1e-4)
    fitted = fit_on(tmp_path, FreeUsers(), offset=offset, epochs=6)
    assert fitted.model.log_weight > 0.2
    for items, users in asked:
        assert PLAYS[items][:, users].sum(axis=0).min() > 0


def test_without_scores_of_another_model_their_weight_is_none(tmp_path: Path) -> None:
    assert fit_on(tmp_path, FreeUsers(), epochs=1).model.log_weight == 0


def test_plays_of_nobody_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody played any"):
        fit_on(tmp_path, FreeUsers(), plays=csr_array((ITEMS, USERS), dtype=np.int8))


def test_a_loss_that_is_no_number_stops_the_training_before_it_is_judged(tmp_path: Path) -> None:
    values = FEATURES.copy() * np.float32(1e30)

    def never(_: TwoTower) -> float:
        pytest.fail("judged")

    with pytest.raises(TrainingError, match="diverged"):
        fit_on(tmp_path, FreeUsers(), items=item_set(csr_array(values * 1e8)), judge=never)


@pytest.mark.parametrize("several", [False, True])
def test_the_items_of_a_step_are_taken_out_of_every_history(*, several: bool) -> None:
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(ITEMS)[:100])
    plays = csr_array(PLAYS[rows])
    dense = rng.standard_normal((ITEMS, 5)).astype(np.float32)
    dense[3] = dense[:, 1] = 0
    inputs = (FEATURES, dense) if several else (FEATURES,)
    items = item_set(*inputs)
    network = network_of([matrix.shape[1] for matrix in inputs], dropout=0.5)
    counted = [*range(len(inputs))]
    tower = build_item_tower(network, items, rows, counted=counted, scale=1, seed=0)
    network.layers[-1].bias.assign(rng.standard_normal(DIM + 1))
    part = history_part(network, tower, items, rows, plays)
    lonely = plays.toarray().astype(float)
    step_items = np.unique([*np.flatnonzero(lonely[:, 5]), *range(20)])
    users = np.array([2, 5, 30])
    vectors = vectors_of(tower, *inputs)[rows, :-1].astype(float)

    def direct(history: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(history.T @ vectors / np.maximum(history.sum(axis=0), 1)[:, None] ** 0.75)

    read = part.read(step_items, users, 4)
    made = np.asarray(keras.Model(part.inputs, part.vectors).predict_on_batch(list(read)))
    others = lonely[:, users].copy()
    others[step_items] = 0
    assert made[:3] == pytest.approx(direct(others), rel=1e-3, abs=1e-4)
    assert not made[1].any()  # all that the user played is in the step
    assert not made[3].any()
    assert part.now().rows(slice(None)) == pytest.approx(direct(lonely), rel=1e-3, abs=1e-4)


def test_vectors_of_new_users_are_sums_too() -> None:
    plays = csr_array([[1, 0, 1, 1], [0, 0, 0, 0]])
    vectors = np.arange(8.0).reshape(4, 2)
    expected = [(vectors[0] + vectors[2] + vectors[3]) / 3**0.75, [0, 0]]
    assert history_vectors(plays, vectors) == pytest.approx(np.array(expected), rel=1e-6)


def test_a_network_that_is_not_linear_has_no_histories(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="only in a linear network") as problem:
        fit_on(tmp_path, HistoryUsers(), network=network_of([WIDTH], hidden=(8,)))
    assert "network.hidden=[]" in str(problem.value.hint)


def test_items_without_any_sample_are_an_error() -> None:
    with pytest.raises(DataError, match="none of the 2 items that are to be fitted has any input"):
        steps_of(Samples("train", list("abc"), (), np.array([2, 2])), csr_array(np.ones((2, 2))), 8)


class InMemory(ItemSet):
    """Items whose inputs are arrays in memory, patches too."""

    def read(self, samples: RowSelection) -> tuple[Rows, ...]:
        """Return rows of all inputs."""
        sources: Any = self.inputs
        return tuple(np.asarray(source.values[samples]) for source in sources)


# The others are compiled for a long time, and have no layers that these have not.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name.startswith(("audio_cnn", "text")) else ())
        for name in ARCHITECTURES.names()
        if name not in ("audio_crnn", "audio_multi_filter_cnn", "text_lstm")
    ],
)
def test_networks_of_every_kind_can_be_towers(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    kinds = cast("tuple[InputKind, ...]", kinds_of(name))
    arrays = []
    for kind in kinds:
        values = rng.standard_normal((8, *SHAPES[kind]), np.float32)
        values = np.floor(np.abs(values) * 3) % WORDS if kind == "sequence" else values
        arrays.append(values * (rng.random(values.shape) < 0.9))
    inputs: Any = tuple(SimpleNamespace(values=values) for values in arrays)
    inputs = tuple(
        source if kind == "patches" else Matrix(Path(), source.values)
        for source, kind in zip(inputs, kinds, strict=True)
    )
    plays = csr_array((rng.random((8, 5)) < 0.5).astype(np.int8))
    tower = fit_on(
        tmp_path,
        FreeUsers(),
        network=small_network(name, dropout=0.1),
        items=InMemory("train", [], inputs, np.arange(8)),
        kinds=kinds,
        plays=plays,
        judge=lambda _: 0.5,
        epochs=1,
    ).model.tower
    counted = "feature_count" in [layer.name for layer in tower.layers]
    assert counted == ("features" in kinds)
    assert loaded_like(tower, tmp_path, name, arrays)


def loaded_like(
    tower: keras.Model, folder: Path, name: str, inputs: Sequence[csr_array | Rows]
) -> bool:
    """Whether a tower predicts the same once it was saved and loaded."""
    tower.save(folder / "network.keras")
    model = SimpleNamespace(
        name="model_1",
        network=folder / "network.keras",
        experiment=SimpleNamespace(network=SimpleNamespace(name=name)),
        manifest=SimpleNamespace(layers=layers_of(tower), versions={}),
    )
    loaded = load_network(cast("Model", model))
    return bool((vectors_of(loaded, *inputs) == vectors_of(tower, *inputs)).all())
