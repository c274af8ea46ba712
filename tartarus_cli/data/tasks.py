"""What a dataset or an experiment is for."""

from typing import Literal

Task = Literal["recommendation", "multilabel", "multiclass"]
"""Rank items for users; give items any number of classes; give each item one class."""
