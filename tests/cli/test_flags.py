"""Messages name parameters and calls that exist; options and commands stand only in the cli."""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import typer

import tartarus_cli as tt
from tartarus_cli import api
from tartarus_cli.cli.app import app
from tartarus_cli.cli.flags import COMMANDS, flag, in_shell
from tests.cli.test_help import leaves

FRONT_DOOR: list[str] = vars(tt)["__all__"]

PACKAGE = Path(api.__file__).parent.parent

OPTIONS = {
    " ".join(path): {*(name for p in command.params for name in (*p.opts, *p.secondary_opts))}
    for path, command in leaves(typer.main.get_command(app)).items()
}
"""Command → its options and arguments."""

ROOMS = sorted(
    path.name
    for path in PACKAGE.iterdir()
    if path.name != "cli" and (path.suffix == ".py" or (path / "__init__.py").is_file())
)
"""Every package and module of the top level but the command line."""

NOT_A_COMMAND_LINE: dict[str, tuple[str, ...]] = {
    "distribution/cluster_file.py": ("--nthreads", "--lifetime"),
    "exporting/card_use.py": (  # lines of a document, not of a message
        "tartarus evaluate X --baselines",
        "tartarus predict X\ntartarus evaluate X --baselines",
        "tartarus models show X",
        "tartarus predict X",
        "tartarus recommend X",
        "tartarus predict X --audio audio",
        "tartarus predict X --text text",
        "tartarus export X --what onnx",
        "tartarus train",
        "tartarus run",
        "--dataset",
        "--seed",
        "--seeds",
        "--folds",
        "--set X",
        "--code X",
    ),
    "encoders/musicnn.py": ("pip download --no-deps musicnn==0.1.0",),
    "extraction/vector_job.py": (
        "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    ),
    "diagnosis/diagnose.py": ("pip install --force-reinstall",),
    "diagnosis/system.py": (
        "--query-gpu=name,memory.total,driver_version",
        "--format=csv,noheader",
    ),
}
"""Module → strings with an option or a command that are no message."""

QUOTED = re.compile(r"`([a-z_]+)(=[^`]*|\([^`]*\))?`")
CALL = re.compile(r"([a-z_]+)\(")
OPTION = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(rf"\btartarus ({'|'.join(sorted({name.split()[0] for name in OPTIONS}))})\b")


def modules(room: str) -> list[Path]:
    path = PACKAGE / room
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string that is no docstring, formatted values as ``X``."""
    nodes = [*ast.walk(syntax(path))]
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    formatted = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {id(value) for node in formatted for value in node.values}
    for joined in formatted:
        values = (v.value if isinstance(v, ast.Constant) else "X" for v in joined.values)
        yield joined.lineno, "".join(map(str, values))
    others = [n for n in nodes if isinstance(n, ast.Constant) and id(n) not in docstrings | parts]
    yield from ((node.lineno, node.value) for node in others if isinstance(node.value, str))


def parameters() -> set[str]:
    """Names of the parameters of the front door's functions."""
    folder = Path(api.__file__).parent
    loaded = [import_module(f"{api.__name__}.{path.stem}") for path in folder.glob("[!_]*.py")]
    functions = [f for module in loaded for _, f in inspect.getmembers(module, inspect.isfunction)]
    return {name for function in functions for name in inspect.signature(function).parameters}


PARAMETERS = parameters()


def written(path: Path) -> Iterator[tuple[str, str]]:
    """Yield where a message names a parameter or a call in backquotes, and its text in them."""
    for line, text in strings(path):
        for name, rest in QUOTED.findall(text):
            yield f"{path.name}:{line}", f"{name}{rest}"


def composed(path: Path) -> Iterator[tuple[str, str]]:
    """Yield where ``parameter`` or ``call`` composes such a text, and a text of this kind."""
    for node in ast.walk(syntax(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        name = str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else ""
        where = f"{path.name}:{node.lineno}"
        if name and node.func.id == "parameter":
            yield where, f"{name}={ast.unparse(node.args[1])}" if len(node.args) > 1 else name
        elif name and node.func.id == "call":
            keywords = (f"{k.arg}={ast.unparse(k.value)}" for k in node.keywords if k.arg)
            yield where, f"{name}({', '.join(keywords)})"


def options_of(text: str) -> dict[str, str]:
    """Return the option of each parameter that a parameter or a call in backquotes names."""
    node = ast.parse(text if CALL.match(text) else f"f({text})", mode="eval").body
    assert isinstance(node, ast.Call)
    options = {
        a.id: flag(a.id) for a in node.args if isinstance(a, ast.Name) and a.id in PARAMETERS
    }
    for keyword in node.keywords:
        negative = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        name = str(keyword.arg)
        options[name] = in_shell(f"`{name}=False`") if negative else flag(name)
    return options


@pytest.mark.parametrize("room", ROOMS)
def test_every_parameter_and_call_that_a_message_names_exists(room: str) -> None:
    texts = [pair for path in modules(room) for pair in (*written(path), *composed(path))]
    for where, text in texts:
        match = CALL.match(text)
        function = match[1] if match else ""
        command = COMMANDS.get(function, function)
        assert not function or command in OPTIONS, (where, text)
        assert not function or function in FRONT_DOOR, (where, text)
        known = OPTIONS[command] if function else set().union(*OPTIONS.values())
        if not function:
            assert text.partition("=")[0] in PARAMETERS, (where, text)
        for option in options_of(text).values():
            assert option in known, (where, text, option)


@pytest.mark.parametrize("room", ROOMS)
def test_no_message_holds_an_option_or_a_command_of_the_command_line(room: str) -> None:
    for path in modules(room):
        exceptions = NOT_A_COMMAND_LINE.get(str(path.relative_to(PACKAGE)), ())
        for line, text in strings(path):
            if text not in exceptions:
                where = f"{path.name}:{line} {text!r}"
                assert not OPTION.search(text), where
                assert not COMMAND.search(text), where


def test_the_search_finds_options_commands_and_parameters(tmp_path: Path) -> None:
    texts = ["Say --force.", "(--by artist)", "tartarus check-data mine"]
    assert all(OPTION.search(text) or COMMAND.search(text) for text in texts)
    assert not any(OPTION.search(text) for text in ("a -- b", "x--y", "---"))
    path = tmp_path / "module.py"
    path.write_text(
        '"""`docstring=1`"""\nf"`force={x}` `split(1, by=2)` `min_plays`"\n'
        'parameter("dim", 3)\ncall("split", "a", plays=FILE, header=False)\n'
    )
    assert [text for _, text in written(path)] == ["force=X", "split(1, by=2)", "min_plays"]
    assert [text for _, text in composed(path)] == ["dim=3", "split(plays=FILE, header=False)"]
    assert options_of("split(plays=FILE, header=False)") == {
        "plays": "--plays",
        "header": "--no-header",
    }
