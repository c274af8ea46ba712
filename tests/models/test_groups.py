"""Groups of models: their files, and what is read of them."""

import json
from pathlib import Path

import pytest

from tartarus_cli.errors import FileError, RequestError
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.groups import GroupManifest, Groups, Member, same_request


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    """Return the groups of an empty workspace."""
    return Groups(WorkspacePaths(tmp_path, tmp_path / "data"))


def _manifest(*seeds: int, experiment: str = "rec_dense") -> GroupManifest:
    members = tuple(Member(seed=seed, dataset="songs") for seed in seeds)
    return GroupManifest(
        kind="seeds",
        experiment=experiment,
        dataset="songs",
        task="recommendation",
        started="2026-01-01T00:00:00+00:00",
        members=members,
    )


def test_a_number_is_never_given_again_even_when_its_group_was_deleted(groups: Groups) -> None:
    assert [groups.add(_manifest(0, 1)).name for _ in range(2)] == ["group_1", "group_2"]
    groups.delete("group_2")
    assert groups.add(_manifest(0, 1)).name == "group_3"
    assert groups.names() == ["group_1", "group_3"]


def test_what_two_commands_record_of_different_members_is_all_there(groups: Groups) -> None:
    name = groups.add(_manifest(0, 1)).name
    for seed in (0, 1):

        def change(member: Member, seed: int = seed) -> Member:
            update = {"status": "evaluated", "model": f"model_{seed + 1}"}
            return member.model_copy(update=update) if member.seed == seed else member

        groups.record(name, change)
    group = groups.find(name)
    assert group.finished
    assert group.models == ("model_1", "model_2")
    assert [found.name for found in groups.containing("model_2")] == [name]


def test_members_that_are_done_do_not_make_it_another_request() -> None:
    done = _manifest(0, 1)
    member = done.members[0].model_copy(update={"status": "evaluated", "model": "model_1"})
    done = done.model_copy(update={"members": (member, done.members[1]), "started": "later"})
    assert same_request(done, _manifest(0, 1))
    assert not same_request(done, _manifest(0, 2))
    assert not same_request(done, _manifest(0, 1, experiment="rec_multi"))


def test_a_damaged_group_is_named_and_hides_no_other(groups: Groups) -> None:
    for _ in range(2):
        groups.add(_manifest(0, 1))
    path = groups.workspace.group("group_1")
    document = json.loads(path.read_text())
    document["members"][0]["model"] = "../../model_1"
    path.write_text(json.dumps(document))
    with pytest.raises(FileError, match=r"group_1\.json: members\.0\.model"):
        groups.find("group_1")
    assert [group.name for group in groups.all()] == ["group_2"]


def test_an_unknown_group_is_refused_with_the_ones_there_are(groups: Groups) -> None:
    groups.add(_manifest(0, 1))
    with pytest.raises(RequestError, match="no group called 'group_7'"):
        groups.find("group_7")
