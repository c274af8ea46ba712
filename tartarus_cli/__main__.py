"""``tartarus``, and ``python -m tartarus_cli``."""

from tartarus_cli.signals import at_the_edges


def main() -> None:
    """Run the command line; a signal while it is still being loaded, or over, ends it at once."""
    at_the_edges()
    from tartarus_cli.cli.app import main as run

    try:
        run()
    finally:
        at_the_edges()


if __name__ == "__main__":
    main()
