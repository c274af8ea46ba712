"""The checks of a dataset: each looks at one kind of file and reports every fault it finds."""
