"""Tiny workspaces with known contents, written by plain NumPy under the names of the contract."""

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, save_npz

SPLITS = {"train": 40, "val": 10, "test": 12}
USERS, DIM, CLASSES = 9, 4, 3


class World:
    """A workspace whose items have a hidden place that features and targets both show."""

    def __init__(self, root: Path, *, seed: int = 0) -> None:
        self.root = root
        self.datasets = root / "data" / "datasets"
        self.features = self.datasets / "train_data"
        self.features.mkdir(parents=True, exist_ok=True)
        self.rng = np.random.default_rng(seed)

    def ids(self, dataset: str, splits: dict[str, int]) -> None:
        """Ids of each split."""
        for split, count in splits.items():
            lines = "".join(f"{split}-{n}\n" for n in range(count))
            (self.datasets / f"items_index_{split}_{dataset}.tsv").write_text(lines)

    def places(self, splits: dict[str, int]) -> dict[str, NDArray[np.float32]]:
        """Where the items of each split are, ``(items, 4)``."""
        return {s: self.rng.standard_normal((n, DIM)).astype(np.float32) for s, n in splits.items()}

    def setting(self, name: str, dataset: str, places: dict[str, NDArray[np.float32]]) -> None:
        """Dense features ``name`` and sparse ones ``name-sparse``, noisy views of the places."""
        turn = self.rng.standard_normal((DIM, 6))
        for split, rows in places.items():
            view = (rows @ turn + 0.1 * self.rng.standard_normal((len(rows), 6))).astype(np.float32)
            np.save(self.features / f"X_{split}_{name}_{dataset}.npy", view)
            positive = csr_array(np.maximum(view, 0))
            save_npz(self.features / f"X_{split}_{name}-sparse_{dataset}.npz", positive)

    def trained_on(self, model: str, path: Path, factors: NDArray[Any]) -> None:
        """Put other factors of users or labels in place, as if a model had been trained on them."""
        np.save(path, factors)
        record = self.root / "data" / "models" / model / "manifest.json"
        manifest = json.loads(record.read_text())
        name = f"data/datasets/{path.name}"
        assert name in manifest["inputs"]
        manifest["inputs"][name] = blake2b(path.read_bytes(), digest_size=16).hexdigest()
        record.write_text(json.dumps(manifest))

    def recommendation(self, dataset: str = "rec", *, val: bool = False) -> None:
        """Items with factors of 4, users, and plays in which everybody has an item of each set."""
        splits = {s: n for s, n in SPLITS.items() if val or s != "val"}
        places = self.places(splits)
        self.ids(dataset, splits)
        users = self.rng.standard_normal((USERS, DIM)).astype(np.float32)
        for split, rows in places.items():
            middle = "" if split == "train" else f"{split}_"
            np.save(self.datasets / f"item_factors_{middle}als_{DIM}_{dataset}.npy", rows)
        np.save(self.datasets / f"user_factors_als_{DIM}_{dataset}.npy", users)
        for split in places:
            liked = places[split] @ users.T > 1
            liked[np.arange(USERS) % len(liked), np.arange(USERS)] = True
            save_npz(
                self.datasets / f"matrix_{split}_{dataset}.npz", csr_array(liked.astype(float))
            )
        self.setting("text", dataset, places)
        self.setting("audio", dataset, places)

    def rankable(
        self,
        users: NDArray[np.floating[Any]],
        items: NDArray[np.floating[Any]],
        liked: NDArray[np.bool_],
        dataset: str = "rec",
    ) -> None:
        """Only what a ranking needs: factors of users and test items, and who has which.

        ``liked`` is ``(users, items)``. There is one train item.
        """
        dim = items.shape[1]
        self.ids(dataset, {"train": 1, "test": len(items)})
        whose = {"item_factors": items[:1], "item_factors_test": items, "user_factors": users}
        for name, rows in whose.items():
            np.save(self.datasets / f"{name}_als_{dim}_{dataset}.npy", rows)
        save_npz(self.datasets / f"matrix_test_{dataset}.npz", csr_array(liked.T.astype(float)))

    def classification(self, dataset: str, *, several: bool) -> None:
        """Items of three classes; one each, or several."""
        places = self.places(SPLITS)
        self.ids(dataset, SPLITS)
        (self.datasets / f"genre_labels_{dataset}.tsv").write_text("jazz\nsoul\nrock\n")
        for split, rows in places.items():
            best = rows[:, :CLASSES].argmax(axis=1)
            classes = np.eye(CLASSES, dtype=np.float32)[best]
            if several:
                classes = np.maximum(classes, rows[:, :CLASSES] > 0.5)
            middle = "" if split == "train" else f"{split}_"
            np.save(self.datasets / f"item_factors_{middle}class_{CLASSES}_{dataset}.npy", classes)
            if several and split != "test":
                factors = rows[:, :2]
                np.save(self.datasets / f"item_factors_{middle}pmi_2_{dataset}.npy", factors)
        if several:
            factors = self.rng.standard_normal((CLASSES, 2)).astype(np.float32)
            np.save(self.datasets / f"class_factors_pmi_2_{dataset}.npy", factors)
        self.setting("text", dataset, places)
        self.setting("audio", dataset, places)
