"""Checks whether the files of a dataset are complete, undamaged and fit each other."""
