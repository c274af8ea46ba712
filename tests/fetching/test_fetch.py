"""Fetching published archives, from a server of the tests' own."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tartarus_cli.errors import DataError
from tartarus_cli.fetching import download, install
from tartarus_cli.fetching.archives import Member
from tartarus_cli.fetching.install import parse_member_name
from tartarus_cli.files import digest
from tests.conftest import Command
from tests.fetching.test_archives import tar, zipped
from tests.processes import ENOUGH_S, started, waited
from tests.worlds import World

DATASET = "MSD-A-artists"
RECORD = "/api/records/831348"


@dataclass
class Zenodo:
    """What the server has, what it is asked, and how it misbehaves."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)  # instead of an answer
    moved: dict[str, str] = field(default_factory=dict)  # path → where it is
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, range
    breaks: list[int] = field(default_factory=list)  # bytes after which an answer breaks off
    refusals: list[int] = field(default_factory=list)  # statuses of the next answers
    ranges: bool = True
    checksum: str | None = None
    slowly: float = 0.0  # seconds for each block

    def record(self) -> dict[str, Any]:
        """Describe the files as Zenodo does."""
        files = [
            {
                "key": name,
                "size": len(content),
                "checksum": self.checksum or f"md5:{hashlib.md5(content).hexdigest()}",  # noqa: S324
                "links": {"self": f"{self.address}{RECORD}/files/{name}/content"},
            }
            for name, content in self.files.items()
        ]
        return {"id": 831348, "metadata": {"title": "MSD-A"}, "files": files}

    def downloads(self) -> list[str]:
        """Ranges of the files that were asked for; empty for all of it."""
        return [asked for path, asked in self.asked if path.endswith("/content")]


class _Handler(BaseHTTPRequestHandler):
    zenodo: Zenodo

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        self.zenodo.asked.append((self.path, self.headers.get("Range", "")))
        if self.path in self.zenodo.moved:
            self.answer(302, b"", {"Location": self.zenodo.moved[self.path]})
        elif self.path in self.zenodo.pages:
            status, kind, body = self.zenodo.pages[self.path]
            self.answer(status, body, {"Content-Type": kind})
        elif self.path == RECORD:
            self.answer(200, json.dumps(self.zenodo.record()).encode(), {})
        elif self.path.split("/")[-2] in self.zenodo.files:
            self.send_file(self.zenodo.files[self.path.split("/")[-2]])
        else:
            self.answer(404, b"{}", {})

    def send_file(self, content: bytes) -> None:
        if self.zenodo.refusals:
            self.answer(self.zenodo.refusals.pop(0), b"", {"Retry-After": "0"})
            return
        requested = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if requested and self.zenodo.ranges:
            start = int(requested[1])
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], {"Content-Range": span})
        else:
            self.answer(200, content, {})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        is_file = self.path.endswith("/content") and status in (200, 206)
        if is_file and self.zenodo.breaks:
            self.wfile.write(body[: self.zenodo.breaks.pop(0)])
            self.close_connection = True
            return
        step = 4096 if self.zenodo.slowly and is_file else max(len(body), 1)
        for at in range(0, len(body), step):
            time.sleep(self.zenodo.slowly if is_file else 0)
            self.wfile.write(body[at : at + step])


@pytest.fixture
def zenodo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zenodo]:
    """Return a server that has nothing yet."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    served = Zenodo(f"http://127.0.0.1:{server.server_port}")
    handler.zenodo = served  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("TARTARUS_ZENODO", served.address)
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0, 0.0))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def old_name(path: Path) -> str:
    """Name a file as the published archives do, below a folder of their own."""
    folder = "train_data" if path.parent.name == "train_data" else "splits"
    name = re.sub(r"^item_factors_(test|val)_", r"y_\1_", path.name)
    name = re.sub(r"^item_factors_(als|class|pmi)_", r"y_train_\1_", name)
    name = name.replace("class_factors_", "user_factors_")
    return f"dlrs-data/{folder}/{name}"


def packed(world: World) -> dict[str, bytes]:
    files = sorted(path for path in world.datasets.rglob("*") if path.is_file())
    named = {old_name(path): path.read_bytes() for path in files}
    extra = ["dlrs-data/README.md", "dlrs-data/models/model_1.pkl", "dlrs-data/splits/._y_train"]
    return named | dict.fromkeys(extra, b"...")


@pytest.fixture
def original(tmp_path: Path) -> World:
    """Return the data that is published."""
    world = World(tmp_path / "original")
    world.recommendation(DATASET)
    world.setting("sem-bio", DATASET, world.places({"train": 40, "test": 12}))
    return world


@pytest.fixture
def archive(original: World, tmp_path: Path) -> Path:
    """Return it in an archive of the old layout."""
    return tar(tmp_path / "dlrs-data.tar.gz", packed(original))


@pytest.fixture
def workspace(tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty workspace, and be in it."""
    root = tmp_path / "mine"
    tartarus("init", root)
    monkeypatch.chdir(root)
    return root


def data_of(root: Path) -> dict[str, str]:
    """Every file of the data sets, and its hash."""
    folder = root / "data" / "datasets"
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): digest(path) for path in files}


def test_a_fetched_archive_of_the_old_layout_passes_the_check_and_runs(
    zenodo: Zenodo, archive: Path, workspace: Path, original: World, tartarus: Command
) -> None:
    zenodo.files = {archive.name: archive.read_bytes(), "README.md": b"read me"}
    done = tartarus("fetch", "dlrs")
    assert done.status == 0, done.err
    assert data_of(workspace) == data_of(original.root)
    assert "Left in the archive: 3 (dlrs-data/README.md" in done.out
    assert "Next: tartarus run rec_sparse sem-bio" in done.out
    size = sum(path.stat().st_size for path in original.datasets.rglob("*") if path.is_file())
    assert f"{size / 1000:.1f} kB to unpack" in done.err
    download = workspace / "data" / "downloads" / "dlrs" / archive.name
    assert download.read_bytes() == archive.read_bytes()
    assert [path.name for path in download.parent.iterdir()] == [archive.name]
    assert tartarus("check-data", "--json").document["ok"]
    small = ("--set", "training.epochs=1", "--set", "network.hidden=[8]")
    ran = tartarus("run", "rec_sparse", "sem-bio", *small)
    assert ran.status == 0, ran.err


def test_fetching_again_downloads_and_changes_nothing(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {archive.name: archive.read_bytes()}
    tartarus("fetch", "dlrs")
    before = {path: path.stat().st_mtime_ns for path in (workspace / "data").rglob("*.np?")}
    again = tartarus("fetch", "dlrs", "--json")
    assert (again.status, len(zenodo.downloads())) == (0, 1)
    assert (again.document["files"], len(again.document["present"])) == ([], len(before) + 2)
    assert before == {path: path.stat().st_mtime_ns for path in (workspace / "data").rglob("*.np?")}


def test_no_keep_leaves_the_data_and_not_the_download(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {archive.name: archive.read_bytes()}
    done = tartarus("fetch", "dlrs", "--no-keep", "--json")
    assert (done.status, done.document["archives"]) == (0, [])
    assert list((workspace / "data" / "downloads" / "dlrs").iterdir()) == []
    assert data_of(workspace)


def test_a_broken_connection_is_gone_on_with(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    content = archive.read_bytes()
    zenodo.files, zenodo.breaks = {archive.name: content}, [1000, 500, 0]
    zenodo.refusals = [503, 429]
    assert tartarus("fetch", "dlrs").status == 0
    assert zenodo.downloads() == ["", "", "", "bytes=1000-", "bytes=1500-", "bytes=1500-"]
    assert data_of(workspace)


def test_what_arrived_before_giving_up_is_not_downloaded_again(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files, zenodo.breaks = {archive.name: archive.read_bytes()}, [1000, 0, 0, 0]
    broken = tartarus("fetch", "dlrs")
    assert broken.status == 1
    assert f"{archive.name}: the connection broke after 1.0 kB of" in broken.err
    assert "Run tartarus fetch dlrs again: it continues from there" in broken.err
    assert not data_of(workspace)
    zenodo.asked.clear()
    assert tartarus("fetch", "dlrs").status == 0
    assert zenodo.downloads() == ["bytes=1000-"]


def test_a_server_without_ranges_begins_anew(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files, zenodo.breaks = {archive.name: archive.read_bytes()}, [1000]
    zenodo.ranges = False
    assert tartarus("fetch", "dlrs").status == 0
    assert data_of(workspace)


def test_a_wrong_checksum_leaves_nothing(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files, zenodo.checksum = {archive.name: archive.read_bytes()}, "md5:" + "0" * 32
    refused = tartarus("fetch", "dlrs")
    assert refused.status == 1
    assert "another checksum; expected md5:000" in refused.err
    assert list((workspace / "data" / "downloads" / "dlrs").iterdir()) == []
    assert not data_of(workspace)


def test_a_damaged_download_is_downloaded_again(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {archive.name: archive.read_bytes()}
    tartarus("fetch", "dlrs")
    target = workspace / "data" / "downloads" / "dlrs" / archive.name
    target.write_bytes(bytes(target.stat().st_size))
    again = tartarus("fetch", "dlrs")
    assert (again.status, "downloaded again" in again.err) == (0, True)
    assert target.read_bytes() == archive.read_bytes()


PAGE = (200, "text/html", b"<!DOCTYPE html><title>Busy</title>")
ANSWERS: dict[str, tuple[tuple[int, str, bytes], str]] = {
    "a page": (PAGE, "a web page; expected the description of a record"),
    "no record": ((404, "application/json", b"{}"), "there is no such record"),
    "a failure": ((500, "text/plain", b""), "500"),
    "another document": ((200, "application/json", b'{"files": [{}]}'), "files.0.key"),
    "a file name that leads out": (
        (
            200,
            "application/json",
            b'{"files":[{"key":"../a.zip","size":1,"checksum":"md5:' + b"0" * 32 + b'"}]}',
        ),
        "'../a.zip' is no name of a file",
    ),
    "no files": ((200, "application/json", b'{"files": []}'), "no files that everybody may read"),
}


@pytest.mark.parametrize("why", ANSWERS)
def test_an_answer_that_is_no_record_is_explained(
    why: str, zenodo: Zenodo, workspace: Path, tartarus: Command
) -> None:
    zenodo.pages[RECORD], complaint = ANSWERS[why]
    refused = tartarus("fetch", "dlrs")
    assert (refused.status, complaint in refused.err) == (1, True), refused.err
    assert not data_of(workspace)


def test_a_web_page_in_place_of_a_file_is_not_taken_for_it(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {archive.name: archive.read_bytes()}
    zenodo.pages[f"{RECORD}/files/{archive.name}/content"] = PAGE
    refused = tartarus("fetch", "dlrs")
    assert refused.status == 1
    assert f"a web page; expected {archive.name}" in refused.err
    assert not data_of(workspace)


@pytest.mark.parametrize("status", [403, 404])
def test_a_file_that_the_server_refuses_is_reported_at_once(
    status: int, zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files, zenodo.refusals = {archive.name: archive.read_bytes()}, [status]
    refused = tartarus("fetch", "dlrs")
    assert (refused.status, str(status) in refused.err) == (1, True)
    assert (len(zenodo.downloads()), data_of(workspace)) == (1, {})


def test_without_a_network_it_says_what_to_download_by_hand(
    workspace: Path, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARTARUS_ZENODO", "http://127.0.0.1:9")
    refused = tartarus("fetch", "mumu")
    assert refused.status == 1
    for advice in ("https://zenodo.org/records/831189", "ismir-data/", "fetch --archive FILE"):
        assert advice in refused.err
    assert not data_of(workspace)


@pytest.mark.parametrize(
    "server",
    [
        "file:///etc",
        "zenodo.org",
        "ftp://127.0.0.1",
        "http://[",
        "http://127.0.0.1/ü",
        "http://x:y",
    ],
)
def test_only_addresses_of_the_web_are_read(
    server: str, workspace: Path, tartarus: Command
) -> None:
    refused = tartarus("fetch", "dlrs", "--zenodo", server)
    assert (refused.status, "is not a web address" in refused.err) == (2, True)
    assert not data_of(workspace)


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://127.0.0.1/a", "/etc/passwd"])
def test_a_record_cannot_point_to_anything_but_the_web(
    link: str, zenodo: Zenodo, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {"dlrs-data.zip": b"..."}
    record = zenodo.record()
    record["files"][0]["links"]["self"] = link
    zenodo.pages[RECORD] = (200, "application/json", json.dumps(record).encode())
    refused = tartarus("fetch", "dlrs")
    assert (refused.status, "expected an address with https" in refused.err) == (1, True)
    assert not data_of(workspace)


def test_a_redirection_cannot_lead_to_anything_but_the_web(
    zenodo: Zenodo, workspace: Path, tartarus: Command
) -> None:
    zenodo.moved[RECORD] = "ftp://127.0.0.1:9/a"
    refused = tartarus("fetch", "dlrs")
    assert (refused.status, "cannot be read" in refused.err) == (1, True)
    assert not data_of(workspace)


def test_a_redirection_is_followed_and_goes_on_where_it_was(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files, zenodo.breaks = {archive.name: archive.read_bytes()}, [1000]
    content = f"{RECORD}/files/{archive.name}/content"
    zenodo.moved[content] = f"{zenodo.address}/bucket/{archive.name}/content"
    assert tartarus("fetch", "dlrs").status == 0
    assert zenodo.downloads() == ["", "", "bytes=1000-", "bytes=1000-"]
    assert data_of(workspace)


def test_the_three_archives_are_listed_without_a_network_or_a_workspace(tartarus: Command) -> None:
    shown = tartarus("fetch")
    for doi in ("10.5281/zenodo.831348", "10.5281/zenodo.831189", "10.5281/zenodo.1240485 *"):
        assert doi in shown.out
    assert "not confirmed" in shown.out
    document = tartarus("fetch", "--json").document
    assert {archive["name"]: archive["confirmed"] for archive in document} == {
        "dlrs": True,
        "mumu": True,
        "msdi": False,
    }


def test_list_asks_for_names_and_sizes_and_downloads_nothing(
    zenodo: Zenodo, tartarus: Command
) -> None:
    zenodo.files = {"dlrs-data.tar.gz": bytes(1_500_000), "README.md": b"read me"}
    shown = tartarus("fetch", "dlrs", "--list")
    assert re.search(r"dlrs-data.tar.gz +1.5 MB +fetched", shown.out)
    assert re.search(r"README.md +7 bytes +no archive", shown.out)
    files = tartarus("fetch", "dlrs", "--list", "--json").document["files"]
    assert [(file["name"], file["size"]) for file in files] == [
        ("dlrs-data.tar.gz", 1_500_000),
        ("README.md", 7),
    ]
    assert zenodo.downloads() == []


def test_of_several_files_only_the_named_one_is_fetched(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {"pictures.zip": b"large", archive.name: archive.read_bytes()}
    assert tartarus("fetch", "dlrs", "--file", archive.name).status == 0
    assert len(zenodo.downloads()) == 1
    unknown = tartarus("fetch", "dlrs", "--file", "picture.zip")
    assert (unknown.status, "Did you mean pictures.zip?" in unknown.err) == (2, True)
    assert len(zenodo.downloads()) == 1
    assert data_of(workspace)


def test_a_file_that_is_no_archive_is_refused_before_it_is_downloaded(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {"read me.md": b"read me", archive.name: archive.read_bytes()}
    refused = tartarus("fetch", "dlrs", "--file", archive.name, "--file", "read me.md")
    assert (refused.status, "read me.md is no archive by its name" in refused.err) == (2, True)
    assert (
        "records/831348; if it is an archive, then: tartarus fetch --archive 'read me.md'"
        in refused.err
    )
    assert not zenodo.downloads()
    assert not data_of(workspace)


def test_next_names_the_dataset_if_it_is_none_of_the_papers(
    workspace: Path, tmp_path: Path, tartarus: Command
) -> None:
    name = "it's mine"
    world = World(tmp_path / "another")
    world.recommendation(name)
    world.setting("sem-bio", name, world.places({"train": 40, "test": 12}))
    done = tartarus("fetch", "--archive", zipped(workspace / "mine.zip", packed(world)))
    command = done.out.splitlines()[-1].removeprefix("Next: tartarus ")
    assert shlex.split(command) == ["run", "rec_sparse", "sem-bio", "--dataset", name]
    small = ("--set", "training.epochs=1", "--set", "network.hidden=[8]", "--set", "targets.dim=4")
    assert tartarus("train", *shlex.split(command)[1:], *small).status == 0


WRONGLY = {
    "an unknown name": (("dlsr",), "Did you mean dlrs?"),
    "a list of nothing": (("--list",), "of which archive"),
    "keeping of nothing": (("--no-keep",), "of which archive"),
    "a name and an archive": (("dlrs", "--archive", "a.zip"), "exclude each other"),
    "an own archive to delete": (("--archive", "a.zip", "--no-keep"), "exclude each other"),
    "a list of one file": (("dlrs", "--list", "--file", "a"), "exclude each other"),
    "an archive that is not there": (("--archive", "a.zip"), "there is no file a.zip"),
    "a folder": (("--archive", "data"), "is a folder"),
}


@pytest.mark.parametrize("why", WRONGLY)
def test_what_would_be_ignored_is_refused(why: str, workspace: Path, tartarus: Command) -> None:
    words, complaint = WRONGLY[why]
    refused = tartarus("fetch", *words)
    assert (refused.status, complaint in refused.err) == (2, True), refused.err
    assert not data_of(workspace)


@pytest.mark.parametrize("top", ["", "a/b/", "data/"])
@pytest.mark.parametrize("layout", ["old", "new"])
def test_any_layout_is_understood(
    layout: str, top: str, original: World, workspace: Path, tartarus: Command
) -> None:
    if layout == "old":
        named = {name.removeprefix("dlrs-data/"): c for name, c in packed(original).items()}
    else:
        files = (path for path in original.datasets.rglob("*") if path.is_file())
        named = {str(p.relative_to(original.root / "data")): p.read_bytes() for p in files}
    path = zipped(workspace / "own.zip", {top + name: c for name, c in named.items()})
    assert tartarus("fetch", "--archive", path).status == 0
    assert path.exists()
    assert data_of(workspace) == data_of(original.root)


def test_factors_of_labels_get_their_own_name(
    workspace: Path, tmp_path: Path, tartarus: Command
) -> None:
    world = World(tmp_path / "labels")
    world.classification("MuMu-albums", several=True)
    path = tar(tmp_path / "ismir-data.tar", packed(world), "w")
    assert tartarus("fetch", "--archive", path).status == 0
    assert data_of(workspace) == data_of(world.root)


def test_a_file_that_is_there_twice_and_differs_is_refused(
    original: World, workspace: Path, tartarus: Command
) -> None:
    files = packed(original)
    name = f"items_index_test_{DATASET}.tsv"
    same = files | {f"datasets/{name}": files[f"dlrs-data/splits/{name}"]}
    other = files | {f"datasets/{name}": b"other\n"}
    refused = tartarus("fetch", "--archive", zipped(workspace / "other.zip", other))
    assert (refused.status, "different contents" in refused.err) == (1, True)
    assert not data_of(workspace)
    assert tartarus("fetch", "--archive", zipped(workspace / "same.zip", same)).status == 0


def test_a_file_may_be_there_several_times_under_any_name(
    workspace: Path, tartarus: Command
) -> None:
    """Whatever doubles are called while they are unpacked, a dataset may be called so too."""
    names = [f"items_index_train_a{odd}b.tsv" for odd in (".double-", "", ".doubles")]
    files = {f"{top}/{name}": name.encode() for name in names for top in ("1", "2", "3", "1/2")}
    tartarus("fetch", "--archive", zipped(workspace / "several.zip", files))
    folder = workspace / "data" / "datasets"
    assert {path.name: path.read_text() for path in folder.glob("*.tsv")} == {n: n for n in names}
    assert not (workspace / "data" / ".fetch").exists()


@pytest.mark.parametrize("length", [245, 246, 400])
def test_a_name_that_is_too_long_is_refused_as_that(
    length: int, workspace: Path, tartarus: Command
) -> None:
    name = "items_index_train_{}.tsv"
    name = name.format("é" * ((length - len(name) + 2) // 2) + "x" * (length % 2))
    done = tartarus("fetch", "--archive", zipped(workspace / "long.zip", {name: b"x\n"}))
    if length == 245:
        assert [*data_of(workspace)] == [name]
    else:
        assert (done.status, f"a name of {length} bytes (items_index" in done.err) == (1, True)
        assert not data_of(workspace)


@pytest.mark.parametrize("letters", ["x" * 300, "é" * 150])
def test_a_record_with_a_name_that_is_too_long_is_refused_as_that(
    letters: str, zenodo: Zenodo, workspace: Path, tartarus: Command
) -> None:
    zenodo.files = {f"{letters}.zip": b"..."}
    refused = tartarus("fetch", "dlrs")
    assert (refused.status, "too long for the name of a file" in refused.err) == (1, True)
    assert not data_of(workspace)


def test_other_data_of_the_same_name_is_left_untouched(
    archive: Path, workspace: Path, tartarus: Command
) -> None:
    path = workspace / "data" / "datasets" / f"items_index_test_{DATASET}.tsv"
    path.write_text("mine\n")
    refused = tartarus("fetch", "--archive", archive)
    assert refused.status == 1
    assert f"{path.name}: another content than in the archive" in refused.err
    assert list(data_of(workspace)) == [path.name]
    assert path.read_text() == "mine\n"


def test_the_example_world_is_not_mixed_with_the_published_data(
    zenodo: Zenodo, archive: Path, workspace: Path, tartarus: Command
) -> None:
    (workspace / "tartarus.toml").write_text("[example]\nseed = 0\n")
    (workspace / "data" / "datasets" / f"items_index_train_{DATASET}.tsv").write_text("invented\n")
    for words in (("dlrs",), ("--archive", archive)):
        refused = tartarus("fetch", *words)
        assert (refused.status, "synthetic example" in refused.err) == (2, True)
    assert zenodo.asked == []


def test_what_is_there_under_an_old_name_is_not_written_again(
    archive: Path, workspace: Path, original: World, tartarus: Command
) -> None:
    splits = workspace / "data" / "splits"
    splits.mkdir()
    item_factors = original.datasets / f"item_factors_als_4_{DATASET}.npy"
    shutil.copy(item_factors, splits / f"y_train_als_4_{DATASET}.npy")
    assert tartarus("fetch", "--archive", archive).status == 0
    assert item_factors.name not in data_of(workspace)


def test_an_interruption_while_unpacking_leaves_nothing(
    archive: Path, workspace: Path, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[Path] = []

    def interrupt(_archive: Path, place: Callable[[Member], Path | None], _task: object) -> None:
        paths.append(place(Member(f"items_index_train_{DATASET}.tsv", 1, plain=True)) or archive)
        paths[0].parent.mkdir(parents=True)
        paths[0].write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "unpack", interrupt)
    assert tartarus("fetch", "--archive", archive).status == 130
    assert (len(paths), paths[0].exists(), data_of(workspace)) == (1, False, {})


def test_what_a_killed_fetch_left_does_not_disturb_the_next(
    archive: Path, workspace: Path, original: World, tartarus: Command
) -> None:
    left = workspace / "data" / ".fetch" / "datasets"
    left.mkdir(parents=True)
    (left / f"items_index_train_{DATASET}.tsv").write_text("half")
    assert tartarus("check-data", "--json").document["datasets"] == {}
    assert tartarus("fetch", "--archive", archive).status == 0
    assert data_of(workspace) == data_of(original.root)
    assert not left.exists()


@pytest.mark.parametrize("why", ["to download", "to unpack"])
def test_a_disk_without_room_is_reported_before_anything_is_written(
    why: str,
    zenodo: Zenodo,
    archive: Path,
    workspace: Path,
    tartarus: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zenodo.files = {archive.name: archive.read_bytes()}
    free = 10 if why == "to download" else len(archive.read_bytes())
    usage = shutil.disk_usage(workspace)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    refused = tartarus("fetch", "dlrs")
    assert (refused.status, f"are needed {why}" in refused.err) == (1, True), refused.err
    assert not data_of(workspace)
    assert len(zenodo.downloads()) == (why == "to unpack")


def test_where_there_are_no_hard_links_files_are_copied(
    archive: Path, workspace: Path, original: World, tartarus: Command, monkeypatch: Any
) -> None:
    def refuse(*_paths: object) -> None:
        raise OSError(95, "Operation not supported")

    def copy(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes())
        unpacked.append(sum(path.is_file() for path in stage.rglob("*")))

    stage, unpacked = workspace / "data" / ".fetch", list[int]()
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copyfile", copy)
    assert tartarus("fetch", "--archive", archive).status == 0
    assert data_of(workspace) == data_of(original.root)
    assert unpacked == [*range(len(unpacked), 0, -1)]  # never is all of it there twice


def test_a_disk_that_fails_in_the_middle_leaves_nothing(
    archive: Path, workspace: Path, tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[object] = []

    def link(*paths: object) -> None:
        copied.append(paths)
        raise OSError(18, "Invalid cross-device link")

    def copy(source: Path, target: Path) -> None:
        if len(copied) > 3:
            raise OSError(28, "No space left on device", str(target))
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(shutil, "copyfile", copy)
    failed = tartarus("fetch", "--archive", archive)
    assert (failed.status, "No space left" in failed.err) == (1, True)
    assert not data_of(workspace)
    assert not (workspace / "data" / ".fetch").exists()


def test_links_under_the_names_of_data_are_refused(
    original: World, workspace: Path, tartarus: Command
) -> None:
    import tarfile

    path = tar(workspace / "links.tar", packed(original), "w")
    with tarfile.open(path, "a") as appended:
        info = tarfile.TarInfo(f"splits/users_index_{DATASET}.tsv")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        appended.addfile(info)
    refused = tartarus("fetch", "--archive", path)
    assert (refused.status, "is a link or a device" in refused.err) == (1, True)
    assert not data_of(workspace)


def test_an_archive_of_something_else_is_told_what_was_expected(
    workspace: Path, tartarus: Command
) -> None:
    path = zipped(workspace / "holiday.zip", {"pictures/beach.jpg": b"..."})
    refused = tartarus("fetch", "--archive", path)
    assert refused.status == 1
    assert "no file whose name means anything here (pictures/beach.jpg)" in refused.err
    assert "Look whether it is the right archive" in refused.err
    outer = zipped(workspace / "outer.zip", {"inner.tar.gz": b"..."})
    assert "unpack it yourself" in tartarus("fetch", "--archive", outer).err


def test_data_that_does_not_fit_together_is_reported_and_exits_1(
    original: World, workspace: Path, tartarus: Command
) -> None:
    np.save(original.features / f"X_test_text_{DATASET}.npy", np.ones((3, 6)))
    path = zipped(workspace / "odd.zip", packed(original))
    done = tartarus("fetch", "--archive", path, "--json")
    assert (done.status, done.document["ok"]) == (1, False)


@pytest.mark.parametrize(
    "name", ["splits/.hidden", "__MACOSX/splits/genre_labels_a.tsv", "results/genre_labels_a.tsv"]
)
def test_hidden_files_and_results_are_no_data(name: str) -> None:
    assert parse_member_name(name) is None
    assert parse_member_name("anywhere/genre_labels_a.tsv")


def test_ctrl_c_keeps_what_has_arrived_and_the_next_try_goes_on(
    zenodo: Zenodo, workspace: Path, tartarus: Command
) -> None:
    world = World(workspace / "large")
    world.recommendation(DATASET)
    filler = {"dlrs-data/notes.bin": np.random.default_rng(0).bytes(1 << 20)}
    path = tar(workspace / "dlrs-data.tar.gz", packed(world) | filler)
    zenodo.files, zenodo.slowly = {path.name: path.read_bytes()}, 0.01
    words = [sys.executable, "-m", "tartarus_cli", "fetch", "dlrs", "-w", str(workspace)]
    place = Path(__file__).parents[2]
    folder = workspace / "data" / "downloads" / "dlrs"

    def is_under_way() -> bool:
        return any(part.stat().st_size > 50_000 for part in folder.glob(".*.part"))

    with started(words, cwd=place) as running:
        assert waited(is_under_way)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=ENOUGH_S)
    assert (running.returncode, "continues from there" in err) == (130, True), err
    assert not data_of(workspace)
    have = next(folder.glob(".*.part")).stat().st_size
    zenodo.slowly = 0
    zenodo.asked.clear()
    assert tartarus("fetch", "dlrs").status == 0
    assert zenodo.downloads() == [f"bytes={have}-"]


def test_two_fetches_at_once_do_not_meet(archive: Path, workspace: Path, tartarus: Command) -> None:
    from tartarus_cli.files import locked

    with locked(workspace / "data" / "downloads" / ".lock"):
        refused = tartarus("fetch", "--archive", archive)
    assert (refused.status, "another command" in refused.err) == (2, True)


def test_the_download_is_checked_against_what_the_record_promises(
    zenodo: Zenodo, tmp_path: Path, archive: Path
) -> None:
    from tartarus_cli.fetching.catalogue import PUBLISHED
    from tartarus_cli.fetching.zenodo import read_record
    from tartarus_cli.progress import UNWATCHED

    zenodo.files = {archive.name: archive.read_bytes()}
    file = read_record(zenodo.address, PUBLISHED[0]).files[0]
    longer = file.model_copy(update={"size": file.size + 1})
    with pytest.raises(DataError, match=f"expected {archive.name}"):
        download.download(longer, PUBLISHED[0], tmp_path / "downloads", UNWATCHED)
