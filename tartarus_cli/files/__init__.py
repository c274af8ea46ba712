"""Reading files with errors that explain, and writing them in one step, never by halves."""

from tartarus_cli.files.disk import DiskFullError, room_for
from tartarus_cli.files.locks import (
    is_locked,
    locked,
    locked_folder,
    locked_together,
    shared_folder,
)
from tartarus_cli.files.reading import (
    decode_text,
    digest,
    digest_in_background,
    digest_open,
    format_bytes,
    read_bytes,
    read_text,
    readable,
    same_content,
    stat_signature,
)
from tartarus_cli.files.toml import TomlError, parse_toml, read_toml
from tartarus_cli.files.visible import visible_files, visible_paths
from tartarus_cli.files.writing import (
    atomic_write,
    make_own_folder,
    put_text,
    remove_folder,
    remove_leftovers,
    remove_own_folder,
    temporary_folder,
    temporary_target,
    write_bytes,
    write_text,
    write_together,
)
from tartarus_cli.regular import open_regular, require_regular

__all__ = [
    "DiskFullError",
    "TomlError",
    "atomic_write",
    "decode_text",
    "digest",
    "digest_in_background",
    "digest_open",
    "format_bytes",
    "is_locked",
    "locked",
    "locked_folder",
    "locked_together",
    "make_own_folder",
    "open_regular",
    "parse_toml",
    "put_text",
    "read_bytes",
    "read_text",
    "read_toml",
    "readable",
    "remove_folder",
    "remove_leftovers",
    "remove_own_folder",
    "require_regular",
    "room_for",
    "same_content",
    "shared_folder",
    "stat_signature",
    "temporary_folder",
    "temporary_target",
    "visible_files",
    "visible_paths",
    "write_bytes",
    "write_text",
    "write_together",
]
