"""Fitting networks: batches in, weights out."""
