"""Tests of tasks, and of doing them in this process."""

import json
from pathlib import Path
from typing import Any

import pytest

from tartarus_cli.distribution.run import run_tasks
from tartarus_cli.distribution.tasks import Task, execute, name_of
from tartarus_cli.progress import UNWATCHED
from tests.distribution.work import device, square


def test_without_a_cluster_tasks_are_done_in_order_and_one_that_fails_stops_no_other(
    tmp_path: Path,
) -> None:
    tasks = [Task(str(number), {"number": number}) for number in (3, -1, 2)]
    results = run_tasks(square, tasks, cluster=None, folder=tmp_path, progress=UNWATCHED)
    assert [(each.task.name, each.value, each.error, each.hint) for each in results] == [
        ("3", 9, "", ""),
        ("-1", None, "-1 is negative", "Take another."),
        ("2", 4, "", ""),
    ]


def test_a_worker_returns_json_of_the_value_and_of_the_warnings() -> None:
    assert execute(name_of(square), '{"number": 3}', []) == '{"value": 9, "warnings": ["3 is odd"]}'


def test_a_function_that_no_worker_could_find_is_no_task() -> None:
    def inner(**arguments: Any) -> Any:
        return arguments

    with pytest.raises(TypeError, match="not at the top"):
        name_of(inner)


def test_a_task_is_done_on_the_device_that_was_asked_for() -> None:
    assert json.loads(execute(name_of(device), "{}", [], "cpu"))["value"] == "cpu"
    lacking = json.loads(execute(name_of(device), "{}", [], "gpu:99"))
    assert "there is no such device" in lacking["error"]
