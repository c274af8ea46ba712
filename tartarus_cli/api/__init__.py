"""The commands as functions, for notebooks and scripts: keyword options in, values out.

``import tartarus_cli as tt`` offers all of them. Each takes ``workspace`` (a folder, or what
:func:`open_workspace` returned; the nearest one if None) and ``progress`` (see
:mod:`tartarus_cli.api.progress`), and returns what its command prints. What cannot be done is a
:class:`~tartarus_cli.errors.TartarusError`, which says what to do next.
"""
