"""Import libraries one after the other, and say of each what became of it.

It runs in a process of its own, which a broken library may end, and imports nothing of the package.
A line of JSON is written before and after each library.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

DECODERS = ("mp3", "aac", "flac", "alac", "vorbis", "opus", "wmav2")
"""What FFmpeg is asked whether it decodes it."""


def of_jax(jax: Any) -> dict[str, Any]:
    """Return the devices."""
    return {"devices": [of_device(device) for device in jax.local_devices()]}


def of_device(device: Any) -> dict[str, Any]:
    """Return what a device is, with its memory if it knows it."""
    number = f":{device.local_hardware_id}" if device.platform != "cpu" else ""
    about = {"name": f"{device.platform}{number}", "kind": device.device_kind}
    stats = device.memory_stats() or {}
    return about | ({"memory": stats["bytes_limit"]} if "bytes_limit" in stats else {})


def of_keras(keras: Any) -> dict[str, Any]:
    """Return the backend."""
    return {"backend": keras.config.backend()}


def of_soundfile(soundfile: Any) -> dict[str, Any]:
    """Return the version of libsndfile and its formats."""
    return {
        "libsndfile": soundfile.__libsndfile_version__,
        "formats": sorted({*soundfile.available_formats()} & {"WAV", "FLAC", "OGG", "MP3"}),
    }


def of_av(av: Any) -> dict[str, Any]:
    """Return the version of FFmpeg's decoders, and which there are."""
    version = ".".join(map(str, av.library_versions["libavcodec"]))
    return {"libavcodec": version, "formats": [n for n in DECODERS if n in av.codecs_available]}


FACTS = {"jax": of_jax, "keras": of_keras, "soundfile": of_soundfile, "av": of_av}
"""Module → what is asked of it."""


def main() -> None:
    """Import what is named, and say what became of it on standard output."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    for name in sys.argv[1:]:
        print(json.dumps({"begins": name}), file=answers, flush=True)
        answer: dict[str, Any] = {"name": name}
        try:
            module = import_module(name)
            answer["version"] = str(getattr(module, "__version__", ""))
            answer["facts"] = FACTS[name](module) if name in FACTS else {}
        except BaseException as problem:  # noqa: BLE001 — a broken library raises anything
            answer["error"] = f"{type(problem).__name__}: {problem}".rstrip(": ")
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
