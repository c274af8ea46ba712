"""Published results run again: what a paper did, on its data, beside the figures that it printed.

A paper is one TOML file: of this package, in ``papers/``, or of a workspace, in its folder
``papers/``. Nothing but that file says what is needed, what is run and what was published.
"""
