"""``check-data`` counts the items that lack a setting, and compares masks with manifests."""

from pathlib import Path

import numpy as np

from tests.checking.damage import check
from tests.conftest import Command
from tests.worlds import World


def test_absent_items_are_counted_and_are_no_rows_of_zeros(
    world: World, tartarus: Command, tmp_path: Path
) -> None:
    """Half of the items lack a setting; one has a row of zeros."""
    items = [*(f"train-{n}" for n in range(0, 40, 2)), "val-0", "test-3"]
    rows = "".join(f"{item},{n},1\n" for n, item in enumerate(items[1:]))
    (tmp_path / "emb.csv").write_text(f"id,a,b\n{items[0]},0,0\n{rows}")
    words = ("--from", tmp_path / "emb.csv", "--missing", "absent", "-w", world.root)
    assert tartarus("features", "one", "emb", *words).status == 0
    document = check(tartarus, world)
    absent = {"train": 20, "val": 9, "test": 11}
    assert document["datasets"]["one"]["settings"]["emb"]["absent"] == absent
    told = [p for p in document["problems"] if "emb" in p["file"] and p["severity"] != "note"]
    assert [p["found"] for p in told] == ["1 of 40 rows are all zero"]
    printed = tartarus("check-data", "one", "-w", world.root).out
    assert "train 20 · val 9 · test 11" in printed
    (world.features / "mask_test_emb_one.npy").unlink()
    np.save(world.features / "mask_val_emb_one.npy", np.arange(10) > 0)
    told = [p for p in check(tartarus, world)["problems"] if "emb_one.features" in p["file"]]
    assert [(p["found"], p["expected"]) for p in told] == [
        ("it speaks of 9 val items that lack it", "1, as its mask says"),
        ("it speaks of 11 test items that lack it", "none, as there is no mask"),
    ]
