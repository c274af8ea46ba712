"""Experiments: what to train on what, and how; presets, the user's own files, overrides."""
