"""Independent pieces of work, done in this process or by workers on many machines."""

from tartarus_cli.distribution.engine import staying_connected
from tartarus_cli.distribution.run import run_tasks
from tartarus_cli.distribution.tasks import Task, TaskResult

__all__ = ["Task", "TaskResult", "run_tasks", "staying_connected"]
