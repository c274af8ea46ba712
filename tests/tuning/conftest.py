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


@pytest.fixture(autouse=True)
def _without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw only where pictures are looked at."""
    if request.node.name != "test_a_search_is_a_table_a_frame_and_json":
        monkeypatch.setattr("tartarus_cli.tuning.tune.draw_pictures", lambda *_: None)
