"""What a log says of a piece of work: that it begins, how far it is, and how it ends."""

import logging
from collections.abc import Iterator

import pytest

from tartarus_cli.progress import MAX_INTERVAL_S, logged_task

LOGGER = logging.getLogger("tests.progress")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Collect the lines of the log."""
    collected: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: collected.append(record.getMessage())  # type: ignore[method-assign]
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    yield collected
    LOGGER.removeHandler(handler)


def test_slow_work_has_a_line_for_each_tenth(lines: list[str]) -> None:
    clock = Clock()
    with logged_task(LOGGER, "training", 50, clock) as task:
        for _ in range(50):
            clock.seconds += 2
            task.advance()
    tenths = [f"training: {percent}% after {percent}.0 s" for percent in range(10, 101, 10)]
    assert lines == ["training: started", *tenths, "training: done in 100.0 s"]


def test_very_slow_work_has_a_line_every_half_minute(lines: list[str]) -> None:
    clock = Clock()
    with logged_task(LOGGER, "ranking", 1000, clock) as task:
        for _ in range(10):
            clock.seconds += 10
            task.advance()
    assert lines[1:-1] == [
        f"ranking: {percent}% after {seconds}.0 s"
        for percent, seconds in (
            (0, MAX_INTERVAL_S),
            (0, 2 * MAX_INTERVAL_S),
            (0, 3 * MAX_INTERVAL_S),
        )
    ]


def test_quick_work_has_a_first_and_a_last_line(lines: list[str]) -> None:
    clock = Clock()
    with logged_task(LOGGER, "checking", 1000, clock) as task:
        for _ in range(1000):
            clock.seconds += 0.0009
            task.advance()
    assert lines == ["checking: started", "checking: done in 0.9 s"]


def test_a_line_says_what_is_being_done(lines: list[str]) -> None:
    clock = Clock()
    with logged_task(LOGGER, "preparing", 2, clock) as task:
        clock.seconds += 5
        task.describe("preparing, 3 a second")
        task.advance()
        task.describe("epoch 2/3")
    assert lines[1:] == [
        "preparing: 3 a second: 50% after 5.0 s",
        "preparing: epoch 2/3: done in 5.0 s",
    ]


def test_work_that_fails_says_how_far_it_was(lines: list[str]) -> None:
    clock = Clock()

    def work() -> None:
        with logged_task(LOGGER, "predicting", 8, clock) as task:
            task.advance(2)
            clock.seconds = 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert lines == ["predicting: started", "predicting: stopped at 25% after 3.0 s"]


@pytest.mark.parametrize(("total", "done", "percent"), [(0, 0, 0), (0, 3, 100), (4, 9, 100)])
def test_work_of_unknown_size_is_never_more_than_whole(
    total: int, done: int, percent: int, lines: list[str]
) -> None:
    clock = Clock()
    with logged_task(LOGGER, "reading", total, clock) as task:
        clock.seconds = MAX_INTERVAL_S
        task.advance(done)
    assert lines[1] == f"reading: {percent}% after 30.0 s"
