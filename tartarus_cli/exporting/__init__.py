"""Predictions, layers and rankings in the formats of other tools."""
