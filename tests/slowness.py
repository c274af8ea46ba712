"""Slow tests come first; where they are left out, that is said at the end."""

import os
from collections.abc import Sequence
from typing import Any

import pytest

SHORT = bool(os.environ.get("SHORT_TESTS"))
"""Whether what takes longest is done fewer times, as before each landing."""

LONGEST = (
    *(
        "test_killed_everywhere.py",
        "test_notebook.py",
        "test_the_whole_way.py",
        "test_two_views_are",
    ),
    *("test_shares_of_recordings_give", "test_the_way_from_tables.py"),
    *(
        "nearly_as_with_float32[",
        "can_be_towers[",
        "stopped_again_and_again_comes_to_the_same_bits[",
    ),
    *("test_a_large_matrix_of_zeros_and", "test_the_same_seed_gives_the_same_bytes"),
    "test_all_that_must_not_change_can_do_so",
    "test_this_installation_lacks_nothing",
    *("test_patches_are_those_of_one_machine", "test_a_cluster_gives_the_figures_of_one_machine"),
    "ends_the_same[main process]",
    "test_recordings_are_prepared_below_a_long_folder",
    *("test_jobs_are_processes_that_end_with_the_command", "test_what_hangs_is_given_up"),
    *("leaves_no_finished_model[15]", "than_was_not_kept[15]", "than_was_not_kept[2]"),
    *("test_word2vec_gives_the_same_bytes_in_every_process", "test_a_blend_that_is_killed"),
    "the_same_in_onnx_for_any_number_of_items[",
    *("test_processes_share_a_study_and", "test_an_interrupted_training_says_so"),
    *("test_a_loss_takes_arrays_with_every_backend", "test_keras_is_imported_past_a_damaged"),
    *("test_a_platform_that_is_not_there", "test_a_command_that_was_killed_goes_on_to_the_same"),
)
"""Parts of the names of tests that are left out where ``SHORT_TESTS`` is set."""
REPRESENTATIVES = ("[train]", "[vector]", "[audio_cnn]", "[fusion]")
"""Of those that are many of a kind, these stay."""

LONG_FIXTURES = {"made_way", "chains"}  # that take half a minute


class SlowTests:
    """Orders the tests, and counts those that ``-m "not slow"`` leaves out."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.left_out = config, 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Begin with what takes long, so that no worker is alone with it in the end."""
        if SHORT:
            longest = [item for item in items if is_among_the_longest(item.nodeid)]
            items[:] = [item for item in items if item not in longest]
            self.config.hook.pytest_deselected(items=longest)
        items.sort(key=lambda item: not takes_long(item))

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count them in the process that collects."""
        self.left_out += sum(item.get_closest_marker("slow") is not None for item in items)

    def pytest_sessionfinish(self) -> None:
        """Let a worker report them."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["left_out"] = self.left_out

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take a worker's report; every worker collects all tests."""
        reported = getattr(node, "workeroutput", {}).get("left_out", 0)
        self.left_out = max(self.left_out, reported)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many were left out, and how they are run."""
        if self.left_out and "not slow" in self.config.option.markexpr:
            terminalreporter.write_line(
                f"slow tests left out: {self.left_out} ('make test-all' runs them too)"
            )


def takes_long(item: pytest.Item) -> bool:
    """Whether a test is slow itself, or has to wait for what is."""
    fixtures: Sequence[str] = getattr(item, "fixturenames", ())
    return item.get_closest_marker("slow") is not None or not LONG_FIXTURES.isdisjoint(fixtures)


def is_among_the_longest(name: str) -> bool:
    """Whether a test is left out before a landing, and done before a release.

    >>> is_among_the_longest("a.py::can_be_towers[mixed]")
    True
    >>> is_among_the_longest("a.py::can_be_towers[vector]")
    False
    """
    return any(part in name for part in LONGEST) and not name.endswith(REPRESENTATIVES)
