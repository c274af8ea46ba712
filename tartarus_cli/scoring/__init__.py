"""Scores of items for users, whatever they are computed from, and what validates by them."""
