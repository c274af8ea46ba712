"""The example notebook runs from its first cell to its last."""

from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Any:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    folder = tmp_path_factory.mktemp("notebook")
    copyfile(EXAMPLES / "make_tables.py", folder / "make_tables.py")
    document = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    client(document, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return document


def outputs(notebook: Any, kind: str) -> list[str]:
    return [
        str(output["data"][kind])
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if kind in output.get("data", {})
    ]


def test_the_notebook_ends_in_a_compared_table_and_a_list(notebook: Any) -> None:
    tables = outputs(notebook, "text/html")
    assert any("model_1" in table and "ridge" in table for table in tables)
    compared = next(table for table in tables if "model_1" in table and "model_5" in table)
    assert "MAP@500" in compared


def test_nothing_fails_and_nothing_of_a_run_is_kept_in_the_file(notebook: Any) -> None:
    kinds = {output.output_type for cell in notebook.cells for output in cell.get("outputs", ())}
    assert "error" not in kinds
    source = (EXAMPLES / "notebook.ipynb").read_text()
    assert '"outputs": []' in source
    assert "execute_result" not in source
