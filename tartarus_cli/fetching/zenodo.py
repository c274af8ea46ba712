"""Zenodo's description of the files of a published archive."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    NonNegativeInt,
    ValidationError,
    field_validator,
)

from tartarus_cli.errors import DataError, RequestError, TartarusError
from tartarus_cli.fetching.archives import is_archive_name
from tartarus_cli.fetching.catalogue import ZENODO, PublishedArchive

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

TIMEOUT_S = 60.0
"""The longest time without a byte."""
MAX_NAME_BYTES = 230
"""Most systems allow 255 bytes, and a name is longer while the file is downloaded."""
MAX_RECORD_BYTES = 16 << 20
CHECKSUM_DIGITS = {"md5": 32, "sha256": 64, "sha512": 128}
"""Kind of a checksum → number of hexadecimal digits."""


class RemoteFile(BaseModel):
    """A file of a record, as the server describes it."""

    name: str = Field(validation_alias=AliasChoices("key", "filename"))
    size: NonNegativeInt = Field(validation_alias=AliasChoices("size", "filesize"))
    checksum: str
    """Its kind, a colon, and hexadecimal digits: ``md5:…``."""
    links: dict[str, Any] = {}
    url: str = Field("", validation_alias="no such key")
    """Address of the content, which follows from the links."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isprintable() or re.search(r"[/\\:]", name) or name[:1] in ("", "."):
            msg = f"{name!r} is no name of a file"
            raise ValueError(msg)
        if (length := len(name.encode())) > MAX_NAME_BYTES:
            msg = f"{name[:40]!r}… of {length:,} bytes is too long for the name of a file"
            raise ValueError(msg)
        return name

    @field_validator("checksum")
    @classmethod
    def _check_checksum(cls, checksum: str) -> str:
        kind, _, digits = checksum.rpartition(":")
        kind = (kind or "md5").lower()
        if len(digits) != CHECKSUM_DIGITS.get(kind) or re.search(r"[^0-9a-fA-F]", digits):
            msg = f"{checksum!r} is no checksum of a known kind"
            raise ValueError(msg)
        return f"{kind}:{digits.lower()}"

    def with_url(self, server: str, archive: PublishedArchive) -> RemoteFile:
        """Return the file with the address of its content on a server."""
        usual = f"{server}/api/records/{archive.record}/files/{quote(self.name)}/content"
        link = self.links.get("self")
        return self.model_copy(update={"url": link if isinstance(link, str) else usual})

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive, by its name."""
        return is_archive_name(self.name)

    def hasher(self) -> hashlib._Hash:
        """Return a hash object for the kind of checksum that the server gives."""
        return hashlib.new(self.checksum.partition(":")[0], usedforsecurity=False)


class Record(BaseModel):
    """The server's description of a published archive."""

    files: list[RemoteFile] = []
    title: str = Field("", validation_alias=AliasChoices("title", "name"))
    metadata: dict[str, Any] = {}

    @property
    def display_title(self) -> str:
        """The title; empty if there is none."""
        return self.title or str(self.metadata.get("title", ""))


def read_record(server: str, archive: PublishedArchive) -> Record:
    """Read from the server which files a published archive has.

    Parameters
    ----------
    server
        Base address, such as ``https://zenodo.org``.
    archive
        The archive.

    Raises
    ------
    RequestError
        If the server's address is not a web address.
    DataError
        If the server cannot be reached, has no such record, or answers with something else.
    """
    server = server.rstrip("/")
    url = f"{server}/api/records/{archive.record}"
    try:
        with open_url(url) as reply:
            body = reply.read(MAX_RECORD_BYTES + 1)
    except (OSError, HTTPException) as problem:
        raise _unreachable_error(url, archive, problem) from None
    try:
        record = Record.model_validate_json(body)
    except ValidationError as problem:
        is_page = body.lstrip()[:1] == b"<"
        first = problem.errors(include_url=False)[0]
        found = "a web page" if is_page else f"{'.'.join(map(str, first['loc']))} {first['msg']}"
        msg = f"{url}: {found.strip()}; expected the description of a record"
        raise DataError(msg, hint=f"Try again later. {archive.manual_download}") from None
    files = [file.with_url(server, archive) for file in record.files]
    for file in files:
        _check_address(file, url)
    return record.model_copy(update={"files": files})


def _check_address(file: RemoteFile, url: str) -> None:
    """Make sure that a file has an address with https, or with the scheme of its record."""
    if not file.url.startswith(("https://", f"{urlsplit(url).scheme}://")):
        msg = f"{url}: {file.name} is offered at {file.url!r}; expected an address with https"
        raise DataError(msg, hint="Do not trust this server: use another one.")


def _unreachable_error(url: str, archive: PublishedArchive, problem: Exception) -> TartarusError:
    if isinstance(problem, HTTPError):
        problem.close()
    if isinstance(problem, HTTPError) and problem.code in (404, 410):
        msg = f"{url}: there is no such record (the server answered {problem.code})"
        return DataError(msg, hint=f"Look for the data at https://doi.org/{archive.doi}.")
    msg = f"{url} cannot be read: {describe_failure(problem)}"
    hint = f"Check your internet connection, and try again. {archive.manual_download}"
    return DataError(msg, hint=hint)


def describe_failure(problem: Exception) -> str:
    """Return what went wrong with a connection, for a message."""
    cause = getattr(problem, "reason", None) or problem
    code = f"{problem.code} " if hasattr(problem, "code") else ""
    return f"{code}{getattr(cause, 'strerror', None) or cause or type(problem).__name__}"


@contextmanager
def open_url(url: str, *, start: int = 0) -> Iterator[HTTPResponse]:
    """Open a web address, and close it after the block.

    Parameters
    ----------
    url
        The address.
    start
        The first byte to request.

    Raises
    ------
    RequestError
        If it is not a web address.
    OSError, HTTPException
        If there is no answer, or a refusal (an ``HTTPError``, with its ``code``).
    """
    from urllib.request import Request

    headers = {"User-Agent": "tartarus-cli", "Accept": "*/*"}
    headers |= {"Range": f"bytes={start}-"} if start else {}
    try:
        _check_scheme(url)
        request = Request(url, headers=headers)  # noqa: S310 — the scheme is checked above
        reply = _opener().open(request, timeout=TIMEOUT_S)
    except ValueError:  # a wrong address fails in several ways
        msg = f"{url!r} is not a web address"
        raise RequestError(msg, hint=f"The usual server is {ZENODO}.") from None
    with reply:
        yield reply


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(url)


def _opener() -> OpenerDirector:
    """Return an opener for HTTP only: a redirection must not lead to a file or to FTP."""
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.UnknownHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener
