"""How long ``tartarus --help`` takes beside importing typer and rich alone.

Usage: python -m tests.benchmarks.start_up [--rounds 11]
"""

import argparse
import subprocess
import sys
import time
from statistics import median


def seconds(*command: str) -> float:
    """Run a command to its end."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 — our own words
    return time.perf_counter() - began


def main() -> None:
    """Run both in turn, and print medians and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    help_, bare = [], []
    for _ in range(rounds):
        help_.append(seconds(sys.executable, "-m", "tartarus_cli", "--help"))
        bare.append(seconds(sys.executable, "-c", "import typer, rich"))
    ratio = median(a / b for a, b in zip(help_, bare, strict=True))
    print(f"tartarus --help {median(help_):.3f} s, import typer, rich {median(bare):.3f} s")
    print(f"ratio {ratio:.2f} (median of {rounds} pairs)")


if __name__ == "__main__":
    main()
