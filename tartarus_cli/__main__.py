"""``python -m tartarus_cli``."""

from tartarus_cli.cli.app import main

if __name__ == "__main__":
    main()
