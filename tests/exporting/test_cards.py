"""Model cards: what is in them is recorded somewhere, and what is not known is left out."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tartarus_cli.exporting.markdown import code, plain, table
from tests.conftest import Command
from tests.worlds import World


def card_of(tartarus: Command, world: World, name: str, *more: object) -> str:
    done = tartarus("export", name, "--what", "card", "-w", world.root, *more)
    assert done.status == 0, done.err
    return Path(f"{name}.md").read_text(encoding="utf-8")


def front_matter(text: str) -> Any:
    _, matter, _ = re.split(r"^---$", text, maxsplit=2, flags=re.MULTILINE)
    return yaml.safe_load(matter)


def rows_of(text: str, section: str) -> dict[str, list[str]]:
    """Return the cells of the first table of a section, by the first of each row."""
    lines = text.split(f"\n## {section}\n")[1].split("\n## ", maxsplit=1)[0].strip().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return {row[0].strip("`"): row[1:] for row in rows}


def test_a_card_of_a_model_that_was_not_evaluated_has_no_figures_and_says_how_to_get_them(
    tartarus: Command, predicted: World
) -> None:
    before = {path: path.read_bytes() for path in predicted.root.rglob("manifest.json")}
    text = card_of(tartarus, predicted, "model_5")
    assert "It has not been evaluated" in text
    assert "tartarus evaluate model_5 --baselines" in text
    assert "model-index" not in front_matter(text)
    assert {path: path.read_bytes() for path in before} == before  # nobody looked at the test set
    assert not (predicted.root / "data" / "results" / "model_5.json").exists()
    assert "- evaluations on the test set so far: 0" in text


def test_figures_of_a_card_are_those_of_the_evaluation_within_their_intervals(
    tartarus: Command, predicted: World
) -> None:
    done = tartarus("evaluate", "model_1", "--baselines", "--json", "-w", predicted.root)
    figures = done.document
    text = card_of(tartarus, predicted, "model_1")
    rows = rows_of(text, "Figures")
    place = rows[""].index("MAP@500")
    for system, values in {"model_1": figures["metrics"], **figures["rows"]}.items():
        assert float(rows[system][place].split()[0]) == pytest.approx(values["MAP@500"], abs=5e-5)
    with np.load(predicted.root / "data" / "results" / "model_1_users.npz") as stored:
        values = stored["MAP@500"]
    spread = values.std() / np.sqrt(len(values))
    low, high = (float(x.strip("[],")) for x in rows["model_1"][place].split()[1:])
    assert values.mean() - 3 * spread < low < values.mean() < high < values.mean() + 3 * spread
    assert "[" in rows["knn"][place]
    (index,) = front_matter(text)["model-index"]
    metrics = {each["type"]: each["value"] for each in index["results"][0]["metrics"]}
    assert metrics["MAP@500"] == pytest.approx(figures["metrics"]["MAP@500"], abs=1e-6)
    assert index["results"][0]["dataset"]["name"] == "rec"
    assert "- evaluations on the test set so far: 1" in text
    again = card_of(tartarus, predicted, "model_1", "--force")
    assert again == text


def test_the_line_that_trains_a_model_again_gives_an_equal_model(
    tartarus: Command, predicted: World
) -> None:
    text = card_of(tartarus, predicted, "model_4")
    (line,) = re.findall(r"^tartarus train .*$", text, re.MULTILINE)
    assert tartarus(*line.split()[1:], "-w", predicted.root).status == 0
    models = predicted.root / "data" / "models"
    first, again = (models / name / "model.npz" for name in ("model_4", "model_6"))
    assert first.read_bytes() == again.read_bytes()


def test_a_setting_that_was_made_again_is_not_said_to_be_that_of_the_training(
    tartarus: Command, predicted: World
) -> None:
    manifest = predicted.features / "text_rec.features.json"
    manifest.write_text(json.dumps({"source": "a_b.csv", "form": "dense", "width": 6}))
    text = card_of(tartarus, predicted, "model_5")
    assert "source `a_b.csv`" in text
    program = {
        "command": "python mine.py {list} {out}",
        "code": {"mine.py": "0f8b"},
        "kind": "text",
    }
    manifest.write_text(json.dumps({"form": "dense", "width": 6, "program": program}))
    made = card_of(tartarus, predicted, "model_5", "--force")
    assert "command `python mine.py {list} {out}`" in made
    encoder = {"recipe": {"encoder": "mel-stats", "version": "1"}, "kind": "audio", "pool": "max"}
    manifest.write_text(json.dumps({"form": "dense", "width": 6, "encoder": encoder}))
    made = card_of(tartarus, predicted, "model_5", "--force")
    assert "encoder `mel-stats`, version `1`, pool `max`" in made
    assert "Files that were read" in text
    path = predicted.features / "X_train_text_rec.npy"
    np.save(path, np.load(path) * 2)
    changed = card_of(tartarus, predicted, "model_5", "--force")
    assert "a_b.csv" not in changed
    assert "made again since the training" in changed


def test_names_of_classes_stand_in_a_card_as_they_are(tartarus: Command, predicted: World) -> None:
    labels = predicted.datasets / "genre_labels_one.tsv"
    labels.write_text("<b>rock</b>\npop | *soul*\n`[x](http://y)`\n")
    text = card_of(tartarus, predicted, "model_4")
    assert r"&lt;b&gt;rock&lt;/b&gt;, pop \| \*soul\*, \`\[x\](http://y)\`" in text


def test_code_and_cells_end_nowhere_but_where_they_should() -> None:
    assert code("a``b") == "``` a``b ```"
    assert plain("a\nb") == "a b"
    assert table(["x"], [[code("a|b")]]).splitlines()[2] == r"| `a\|b` |"


@pytest.mark.slow
def test_the_card_of_a_group_has_its_means_and_all_its_members(
    tartarus: Command, world: World
) -> None:
    quick = ("--set", "training.epochs=1", "--seeds", "2", "--json", "-w", world.root)
    done = tartarus("run", "dummy_multimodal", "audio", "text", "--dataset", "one", *quick)
    assert done.status == 0, done.err
    text = card_of(tartarus, world, "group_1")
    rows = rows_of(text, "Figures")
    mean, sd = (done.document[name]["accuracy"] for name in ("mean", "sd"))
    assert rows["group_1"][0] == f"{mean:.4f} ± {sd:.4f}"
    assert "| seed 1 | `model_2` |" in text
    assert "- seed: 0, 1" in text
    assert "tartarus run dummy_multimodal audio text --dataset one --seeds 0,1" in text
