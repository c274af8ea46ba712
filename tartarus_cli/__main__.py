"""``tartarus``, and ``python -m tartarus_cli``."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; an interruption while it is still being loaded is quiet too."""
    try:
        from tartarus_cli.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
