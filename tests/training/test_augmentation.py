"""Crops, masks, gain, shifts and mixtures of the samples of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.data.crops import mean_over_crops
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import open_patches, write_patches
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.experiments.sections import AugmentSection
from tartarus_cli.training.augmentation import Augmentation, PatchChanges
from tartarus_cli.training.batches import Batches

ITEMS, FRAMES, BINS, CROP = 11, 20, 4, 6


@pytest.fixture(scope="module")
def subset(tmp_path_factory: pytest.TempPathFactory) -> TrainingSubset:
    """Return patches in which each frame is ``100 × item + frame``; targets are the item."""
    path = tmp_path_factory.mktemp("patches") / "patches.hdf5"
    values = 100 * np.arange(ITEMS)[:, None, None] + np.arange(FRAMES)[:, None] + np.zeros(BINS)
    ids = [f"item-{n}" for n in range(ITEMS)]
    write_patches(path, ids, [values.astype(np.float32)], (FRAMES, BINS), {})
    patches = open_patches(path, ids)
    vectors = Matrix(Path(), np.eye(ITEMS, dtype=np.float32))
    items = ItemSet("train", ids, (patches, vectors), patches.items)
    targets = Matrix(Path(), np.eye(ITEMS, dtype=np.float32))
    return TrainingSubset(items, targets, np.arange(ITEMS))


def augmentation(frames: int = CROP, *, scaled: bool = False, **section: Any) -> Augmentation:
    scale = np.arange(1.0, 1 + FRAMES * BINS, dtype=np.float32).reshape(FRAMES, BINS)
    changes = PatchChanges(0, frames, 1.0, scale if scaled else None, centred=scaled)
    return Augmentation(AugmentSection(**section), changes)


def read(feed: Batches, first: int = 0) -> list[NDArray[np.float32]]:
    """Return the arrays of all batches of an epoch: patches, vectors and targets of each."""
    batches = [feed[number] for number in range(first, len(feed))]
    return [array for inputs, targets in batches for array in (*inputs, targets)]


def feed_of(subset: TrainingSubset, change: Augmentation | None, seed: int = 0) -> Batches:
    return Batches(subset, size=3, rng=np.random.default_rng(seed), augmentation=change)


def test_each_epoch_cuts_new_crops_out_of_the_patches_of_the_same_items(
    subset: TrainingSubset,
) -> None:
    feed, starts = feed_of(subset, augmentation()), []
    for _ in range(6):
        for (patches, _), targets in (feed[number] for number in range(len(feed))):
            first = patches[:, 0, 0, 0]
            assert patches.shape[1:] == (CROP, BINS, 1)
            assert (np.diff(patches, axis=1) == 1).all()
            assert (first // 100 == targets.argmax(axis=1)).all()
            starts += (first % 100).tolist()
        feed.reshuffle()
    assert {*starts} == {*range(FRAMES - CROP + 1)}


EVERYTHING: dict[str, Any] = {
    "time_masks": 1,
    "time_mask": 3,
    "frequency_masks": 1,
    "frequency_mask": 2,
    "mixup": 0.3,
    "gain": 2,
    "shift": 2,
}


def test_an_epoch_that_goes_on_anywhere_has_the_same_samples_bit_for_bit(
    subset: TrainingSubset,
) -> None:
    change = augmentation(scaled=True, **EVERYTHING)
    straight = feed_of(subset, change)
    straight.reshuffle()
    state, rest = straight.state, read(straight)
    straight.reshuffle()
    following = read(straight)
    for first in range(len(straight)):
        again = feed_of(subset, change, seed=5)
        again.restore(state, first)
        for found, expected in zip(read(again, first), rest[3 * first :], strict=True):
            assert found.tobytes() == expected.tobytes()
        again.reshuffle()
        assert [a.tobytes() for a in read(again)] == [a.tobytes() for a in following]
    assert [a.tobytes() for a in rest] != [a.tobytes() for a in following]


def test_without_changes_nothing_more_is_drawn_than_the_order(subset: TrainingSubset) -> None:
    plain, changed = feed_of(subset, None), feed_of(subset, augmentation())
    assert plain.state == changed.state
    for feed in (plain, changed):
        feed.reshuffle()
    rng = np.random.default_rng(0)
    for _ in range(2):
        state = rng.bit_generator.state
        for _ in range(2):  # of the blocks, and of the one window
            rng.permutation(1 if _ == 0 else ITEMS)
    assert plain.state == state
    assert changed.state != state


def test_masks_are_no_larger_than_they_may_be_and_hold_the_mean() -> None:
    values = np.random.default_rng(0).standard_normal((200, FRAMES, BINS, 1)).astype(np.float32)
    sizes: set[int] = set()
    for scaled in (False, True):
        change = augmentation(FRAMES, scaled=scaled, time_masks=1, time_mask=5)
        (found,) = change.apply((values,), np.random.default_rng(1))
        changed = (found != values).any(axis=(2, 3))
        sizes |= {*changed.sum(axis=1).tolist()}
        for patch, own, mask in zip(found, values, changed, strict=True):
            expected = 0 if scaled else own.mean()
            assert patch[mask] == pytest.approx(np.full_like(patch[mask], expected), abs=1e-6)
            (places,) = np.nonzero(mask)
            assert not len(places) or np.ptp(places) == len(places) - 1
    assert sizes == {*range(6)}
    change = augmentation(FRAMES, frequency_masks=2, frequency_mask=1)
    (found,) = change.apply((values,), np.random.default_rng(1))
    assert {*(found != values).any(axis=(1, 3)).sum(axis=1).tolist()} == {0, 1, 2}


def test_a_gain_is_the_same_number_of_decibels_at_all_positions_of_a_sample() -> None:
    values = np.zeros((50, FRAMES, BINS, 1), np.float32)
    change = augmentation(FRAMES, scaled=True, gain=6)
    (found,) = change.apply((values,), np.random.default_rng(0))
    assert change.patches is not None
    assert change.patches.scale is not None
    decibels = found[..., 0] * change.patches.scale
    assert np.ptp(decibels, axis=(1, 2)).max() < 1e-5
    assert -6 <= decibels.min() < -4
    assert 4 < decibels.max() <= 6


def test_a_shift_rolls_crops_in_time_and_loses_no_frame() -> None:
    values = np.arange(FRAMES, dtype=np.float32)[None, :, None, None] + np.zeros((80, 1, BINS, 1))
    change = augmentation(FRAMES, shift=2)
    (found,) = change.apply((values.astype(np.float32),), np.random.default_rng(0))
    rolled = {tuple(np.roll(np.arange(FRAMES), n).tolist()) for n in range(-2, 3)}
    assert {tuple(patch.tolist()) for patch in found[:, :, 0, 0]} == rolled


def test_mixup_mixes_all_inputs_and_the_targets_in_the_same_shares(
    subset: TrainingSubset,
) -> None:
    feed = feed_of(subset, augmentation(FRAMES, mixup=0.8))
    mixed = 0
    for (patches, vectors), targets in (feed[number] for number in range(len(feed))):
        assert vectors == pytest.approx(targets)
        assert targets.sum(axis=1) == pytest.approx(1)
        mixed += int((targets.max(axis=1) < 1).sum())
        item = (targets * np.arange(ITEMS)).sum(axis=1)
        assert patches[:, 0, 0, 0] == pytest.approx(100 * item, rel=1e-4, abs=1e-2)
    assert mixed > ITEMS / 3


def test_crops_end_where_the_sound_of_a_patch_does() -> None:
    values = np.arange(FRAMES, dtype=np.float32)[None, :, None, None] + np.zeros((90, 1, BINS, 1))
    lengths = np.repeat([3, 8, FRAMES], 30)
    inputs = (values.astype(np.float32),)
    (found,) = augmentation().apply(inputs, np.random.default_rng(0), lengths)
    starts = found[:, 0, 0, 0].reshape(3, 30)
    assert (starts[0] == 0).all()
    assert {*starts[1].tolist()} == {0, 1, 2}
    assert starts[2].max() > 10


def test_patches_are_predicted_by_the_mean_over_the_crops_that_cover_them() -> None:
    values = np.arange(FRAMES, dtype=np.float32)[None, :, None, None] + np.zeros((2, 1, 1, 1))
    vectors = np.array([[1.0], [2.0]], np.float32)

    def predict(inputs: Any) -> NDArray[np.float32]:
        assert inputs[0].shape[1] == CROP
        return np.stack([inputs[0][:, 0, 0, 0], inputs[1][:, 0]], axis=1)

    inputs = (values.astype(np.float32), vectors)
    rows = mean_over_crops(predict, inputs, (CROP, None))  # at 0, 3, 6, 9, 12 and 14
    assert rows.tolist() == [[pytest.approx(44 / 6), 1], [pytest.approx(44 / 6), 2]]
    rows = mean_over_crops(predict, inputs, (CROP, None), np.array([4, 11]))
    assert rows[:, 0].tolist() == [0, pytest.approx((0 + 3 + 5) / 3)]
