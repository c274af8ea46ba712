"""Tables that are folders of files, as Spark, Dask and pandas write them."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from shlex import quote

from tartarus_cli.errors import RequestError, display_path, python_command
from tartarus_cli.files import digest

PARQUET_ENDINGS = (".parquet", ".pq")


def part_files(path: Path) -> list[Path]:
    """Return the files that a table consists of: itself, or those of a folder, by their names.

    Hidden files, and those whose names begin with ``_``, hold no rows.
    """
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith((".", "_")))


def table_digest(path: Path, stopped: Callable[[], bool] = lambda: False) -> str:
    """Return the BLAKE2b hash of a table; that of a folder is of the hashes of its files.

    Parameters
    ----------
    path
        The table.
    stopped
        As :func:`tartarus_cli.files.digest` takes it.
    """
    if not path.is_dir():
        # A pipe is refused when it is opened as a table; to read it here would never end.
        return digest(path, stopped) if path.is_file() else ""
    hashes = "".join(f"{part.name}\t{digest(part, stopped)}\n" for part in part_files(path))
    return blake2b(hashes.encode(), digest_size=16).hexdigest()


def is_parquet_folder(path: Path) -> bool:
    """Whether a path is a folder of Parquet files, and of nothing else."""
    if not path.is_dir():
        return False
    folders = any(p.is_dir() and not p.name.startswith((".", "_")) for p in path.iterdir())
    parts = part_files(path)
    return bool(parts) and not folders and all(p.suffix.lower() in PARQUET_ENDINGS for p in parts)


def require_parquet_parts(path: Path) -> None:
    """Refuse a folder that is no table in Parquet files, and say how to make one file of it.

    Raises
    ------
    RequestError
        Always, if the path is such a folder.
    """
    if is_parquet_folder(path):
        return
    msg = f"{display_path(path)} is a folder, and not one of Parquet files alone"
    raise RequestError(msg, hint=_joining(path))


def _joining(path: Path) -> str:
    parts, folder = part_files(path), quote(display_path(path))
    nested = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in PARQUET_ENDINGS]
    if nested:
        pattern = str(path / "**" / f"*{nested[0].suffix}")
        code = f"pl.read_parquet({pattern!r}, hive_partitioning=True).write_parquet('all.parquet')"
        return f"Make one file of it: {python_command('import polars as pl; ' + code)}"
    texts = [p for p in parts if {".csv", ".tsv", ".tab"} & {*p.suffixes}]
    if not texts:
        return "Name a table in it, or another file."
    ending = next(suffix for suffix in texts[0].suffixes if suffix in (".csv", ".tsv", ".tab"))
    files, first = f"{folder}/*{ending}*", quote(display_path(texts[0]))
    rows = f'for f in {files}; do zcat -f "$f" | tail -n +2; done'
    return (
        f"Make one file of it, with the names of the columns once: "
        f"(zcat -f {first} | head -n 1; {rows}) > all{ending}"
    )
