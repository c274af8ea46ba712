"""Plays and labels, factorized."""
