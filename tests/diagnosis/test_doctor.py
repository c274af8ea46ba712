"""What the doctor finds: broken and missing libraries, cards, folders, the workspace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tartarus_cli.diagnosis import diagnose, system
from tartarus_cli.diagnosis.libraries import Requirement
from tartarus_cli.diagnosis.report import Library
from tests.conftest import Command
from tests.worlds import World

Examined = Callable[..., None]


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> Examined:
    """Return what makes the doctor look at these libraries alone."""

    def choose(*wanted: Requirement) -> None:
        monkeypatch.setattr(diagnose, "requirements", lambda: list(wanted))

    return choose


@pytest.fixture
def _sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at no library: all of them are there, and JAX has the processor alone."""
    facts = {"jax": {"devices": [{"name": "cpu", "kind": "cpu"}]}, "keras": {"backend": "jax"}}
    there = [Library("keras", "", "3.10")]
    monkeypatch.setattr(diagnose, "requirements", lambda: [Requirement("keras")])
    monkeypatch.setattr(diagnose, "examine", lambda *_: (there, facts))


def faults(document: Any) -> dict[str, tuple[str, str]]:
    """Return severity and remedy by what is said."""
    return {fault["message"]: (fault["severity"], fault["hint"]) for fault in document["faults"]}


def test_libraries_that_are_broken_missing_or_old_are_named_with_what_mends_them(
    examined: Examined, tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "soxr.py").write_text("raise OSError('libsoxr.so.0: no such file')")
    (folder / "implicit.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    (folder / "tqdm.py").write_text("import sys; print('hello'); sys.exit(0)")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    examined(
        Requirement("numpy", "2.0"),
        *(Requirement(name, "0.1") for name in ("soxr", "implicit", "tqdm")),
        Requirement("filelock", "99.1"),
        Requirement("not-there", "1.2"),
        Requirement("gone", "1", "cluster"),
    )
    found = tartarus("doctor", "--json")
    assert (found.status, found.document["ok"]) == (1, False)
    told = {
        message.split()[0]: (message, *rest) for message, rest in faults(found.document).items()
    }
    assert "libsoxr.so.0: no such file" in told["soxr"][0]
    assert "ended the process (SIGSEGV)" in told["implicit"][0]
    assert "SystemExit" in told["tqdm"][0]
    assert "older than 99.1" in told["filelock"][0]
    assert told["not-there"] == (
        "not-there is not installed",
        "error",
        'pip install "not-there>=1.2"',
    )
    assert all(told[name][1] == "error" for name in ("soxr", "implicit", "tqdm", "filelock"))
    assert told["soxr"][2] == 'pip install --force-reinstall "soxr>=0.1"'
    assert told["filelock"][2] == 'pip install "filelock>=99.1"'
    assert "numpy" not in told
    assert "gone" not in told
    shown = tartarus("doctor")
    assert "libsoxr.so.0: no such file" in shown.out
    assert "gone (not installed)" in shown.out
    assert "Traceback" not in shown.out + shown.err


@pytest.mark.usefixtures("_sound")
def test_a_card_that_jax_cannot_use_is_named_with_the_line_that_mends_it(
    tartarus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "find_cards", lambda: ["NVIDIA H100 80GB HBM3, 81559 MiB, 580.1"])
    found = tartarus("doctor", "--json")
    (message, (severity, hint)), *others = faults(found.document).items()
    assert ("NVIDIA H100" in message, severity, others) == (True, "warning", [])
    assert 'pip install "tartarus-cli[gpu]"' in hint
    assert found.status == 0  # everything works, if slower
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert "unset" in tartarus("doctor").out


@pytest.mark.usefixtures("_sound")
def test_folders_that_cannot_be_written_are_named_with_their_variable(
    tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new" / "one"))
    found = tartarus("doctor", "--json")
    assert found.status == 0
    (message, (severity, hint)), *others = faults(found.document).items()
    assert (str(tmp_path / "file") in message, severity, others) == (True, "warning", [])
    assert "export MPLCONFIGDIR=" in hint
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("_sound")
def test_the_workspace_is_looked_at_if_there_is_one(tartarus: Command, world: World) -> None:
    assert tartarus("doctor", "--json").document["workspace"] is None
    found = tartarus("doctor", "--json", "-w", world.root)
    about = found.document["workspace"]
    assert (about["path"], about["writable"], about["free"] > 0) == (str(world.root), True, True)
    (world.root / "tartarus.toml").write_text("seed = no number")
    broken = tartarus("doctor", "-w", world.root)
    assert (broken.status, "tartarus.toml is not valid TOML" in broken.out) == (1, True)
    assert tartarus("doctor", "-w", world.root / "data" / "models").status == 2


def test_limits_of_control_groups_are_read_in_both_forms(tmp_path: Path) -> None:
    assert (system.core_quota(tmp_path), system.memory_limit(tmp_path)) == (None, None)
    old = tmp_path / "cpu"
    old.mkdir()
    (old / "cpu.cfs_quota_us").write_text("-1\n")
    (old / "cpu.cfs_period_us").write_text("100000\n")
    assert system.core_quota(tmp_path) is None
    (old / "cpu.cfs_quota_us").write_text("150000\n")
    assert system.core_quota(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (system.core_quota(tmp_path), system.memory_limit(tmp_path)) == (None, None)
    (tmp_path / "cpu.max").write_text("400000 100000\n")
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert (system.core_quota(tmp_path), system.memory_limit(tmp_path)) == (4, 1 << 30)


@pytest.mark.slow
def test_this_installation_lacks_nothing() -> None:
    import tartarus_cli as tt

    found = tt.doctor()
    assert found.ok, found.faults
    assert found.backend == "jax"
    assert found.devices
    assert {"WAV", "MP3"} <= {*found.sound["soundfile"]["formats"]}
    assert "mp3" in found.sound["av"]["formats"]
