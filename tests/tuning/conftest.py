"""What the tests of searches share."""

from pathlib import Path

import pytest

from tests.worlds import World


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a workspace of recommendation with val items, and of classes."""
    world = World(tmp_path / "workspace")
    world.recommendation("rec", val=True)
    world.classification("many", several=True)
    world.classification("one", several=False)
    return world.root
