"""Whether the files of a dataset are whole and fit together."""
