"""Files of papers: those of the package fit its presets, and a wrong one says what is wrong."""

from pathlib import Path

import pytest

from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.fetching.catalogue import find_archive
from tartarus_cli.reproducing.figures import check_metrics
from tartarus_cli.reproducing.papers import find_paper, shipped_papers
from tartarus_cli.reproducing.report import compare_figure
from tartarus_cli.reproducing.schema import Figure, Paper
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import World

PAPER = """\
title = "On Songs"
authors = ["A. Listener"]
venue = "Workshop"
year = 2020
url = "https://example.org/songs"
protocol = "Songs are drawn."
differs = ["Seeds: another one."]
tolerance = { relative = 0.1, reason = "a choice" }

[[datasets]]
name = "rec"

[[rows]]
name = "text"
published_as = "the text"
dataset = "rec"
experiment = "knn"
settings = ["text"]
figures = [{ metric = "MAP@500", published = 0.2, source = "Table 1" }]
"""


def write(world: World, text: str, name: str = "songs") -> Path:
    """Put the file of a paper into a workspace."""
    path = world.root / "papers" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", shipped_papers())
def test_every_paper_of_the_package_fits_presets_metrics_and_archives(name: str) -> None:
    paper = find_paper(None, name).paper
    assert paper.url.startswith("https://")
    for dataset in paper.datasets:
        assert not dataset.archive or dataset.name in find_archive(dataset.archive).datasets
    for row in paper.rows:
        experiment = resolve(row.experiment, dataset=row.dataset, overrides=row.overrides)
        assert experiment.takes_any_settings or experiment.settings_needed == len(row.settings)
        check_metrics(paper, row)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('differs = ["Seeds: another one."]', "differs = []", "differs: .*at least 1 item"),
        ('differs = ["Seeds: another one."]', "", "differs: Field required"),
        (', source = "Table 1"', "", r"figures\.1: MAP@500: published and source belong together"),
        (', published = 0.2, source = "Table 1"', "", "not_available does not say why"),
        ("published = 0.2", "published = nan", "finite number"),
        ('dataset = "rec"', 'dataset = "red"', "text: red is none of its datasets, rec"),
        ('metric = "MAP@500"', 'metrik = "MAP@500"', r"figures\.1\.metri[ck]"),
        ("year = 2020", "year = ", "not valid TOML"),
    ],
)
def test_a_wrong_file_of_a_paper_says_what_is_wrong(
    old: str, new: str, message: str, world: World
) -> None:
    assert old in PAPER
    write(world, PAPER.replace(old, new))
    with pytest.raises(RequestError, match=r"papers/songs\.toml.*" + message):
        find_paper(open_workspace(world.root), "songs")


def test_a_misspelt_key_is_told_with_the_near_one(world: World, tartarus: Command) -> None:
    write(world, PAPER.replace('url = "', 'ulr = "u"\nurl = "'))
    outcome = tartarus("reproduce", "songs", "-w", world.root)
    assert outcome.status == 2
    assert "there is no key ulr" in outcome.err
    assert "Did you mean url?" in outcome.err


def test_a_file_of_the_workspace_replaces_the_paper_of_the_package(world: World) -> None:
    workspace = open_workspace(world.root)
    assert find_paper(workspace, "dlrs2017").shipped
    path = write(world, PAPER, "dlrs2017")
    file = find_paper(workspace, "dlrs2017")
    assert (file.path, file.shipped, file.paper.title) == (path, False, "On Songs")


@pytest.mark.parametrize(
    ("published", "other_data", "verdict"),
    [
        (0.2, False, "within"),
        (0.182, False, "within"),
        (0.23, False, "outside"),
        (0.2, True, "other data"),
        (None, False, "not published"),
    ],
)
def test_figures_agree_within_a_share_of_the_published_one(
    published: float | None, *, other_data: bool, verdict: str, world: World
) -> None:
    write(world, PAPER)
    paper = find_paper(open_workspace(world.root), "songs").paper
    figure = Figure(metric="MAP@500", published=published, source="Table 1" if published else "")
    compared = compare_figure(paper, paper.rows[0], figure, 0.2, "model_1", other_data=other_data)
    assert compared.verdict == verdict
    if published is not None:
        assert compared.difference == pytest.approx(0.2 - published)


def test_a_paper_without_differences_cannot_be_made() -> None:
    assert Paper.model_fields["differs"].is_required()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("reproduce", "dlrs"), "no paper called 'dlrs'"),
        (("reproduce", "songs", "--only", "txt"), "songs has no row called 'txt'"),
        (("reproduce", "--dry-run"), "the name of a paper is needed"),
    ],
)
def test_what_is_asked_wrongly_ends_with_status_2(
    words: tuple[str, ...], message: str, world: World, tartarus: Command
) -> None:
    write(world, PAPER)
    outcome = tartarus(*words, "-w", world.root)
    assert outcome.status == 2
    assert message in outcome.err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MAP@500", "MAP@5OO", "text: there is no metric called MAP@5OO"),
        ('"knn"', '"knm"', "the row text: there is no experiment called 'knm'"),
        ('["text"]', "[]", "the row text: knn takes 1 setting or more"),
    ],
)
def test_a_row_that_cannot_be_run_is_told_before_anything_is_trained(
    old: str, new: str, message: str, world: World, tartarus: Command
) -> None:
    write(world, PAPER.replace(old, new))
    outcome = tartarus("reproduce", "songs", "-w", world.root)
    assert outcome.status == 2
    assert message in outcome.err


def test_papers_are_listed_with_what_is_missing(
    world: World, tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(world, PAPER)
    shown = tartarus("reproduce", "-w", world.root).out
    assert "missing here: the dataset MSD-A-artists, the dataset MSD-A-songs" in shown
    assert "all of it is here" in shown
    listed = tartarus("reproduce", "-w", world.root, "--json").document
    assert {each["name"]: each["missing"] for each in listed}["songs"] == []
    monkeypatch.chdir(tmp_path)
    elsewhere = tartarus("reproduce", "--json").document
    assert {each["missing"] for each in elsewhere} == {None}


def test_a_wrong_file_does_not_hide_the_other_papers(world: World, tartarus: Command) -> None:
    write(world, PAPER.replace("year = 2020", "year = "))
    shown = tartarus("reproduce", "-w", world.root)
    assert shown.status == 0
    assert "songs cannot be used" in shown.out
    assert "dlrs2017" in shown.out
    listed = {
        each["name"]: each for each in tartarus("reproduce", "-w", world.root, "--json").document
    }
    assert "not valid TOML" in listed["songs"]["problem"]


def test_missing_data_is_an_error_that_says_how_to_get_it(world: World, tartarus: Command) -> None:
    outcome = tartarus("reproduce", "dlrs2017", "-w", world.root)
    assert outcome.status == 1
    assert "needs the dataset MSD-A-artists, the dataset MSD-A-songs" in outcome.err
    assert "Get it: tartarus fetch dlrs" in outcome.err


def test_of_data_that_is_there_in_part_the_rows_are_named_that_can_be_run(
    world: World, tartarus: Command
) -> None:
    row = PAPER[PAPER.index("[[rows]]") :].replace('name = "text"', 'name = "lyrics"', 1)
    write(world, PAPER + "\n" + row.replace('settings = ["text"]', 'settings = ["lyrics"]'))
    outcome = tartarus("reproduce", "songs", "--dry-run", "-w", world.root)
    assert outcome.status == 1
    assert "the setting lyrics of rec" in outcome.err
    assert "text can be run, with --only text" in outcome.err
    assert "tartarus features rec lyrics --from FILE" in outcome.err
