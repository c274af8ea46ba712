"""Factorization of plays and labels into the targets of networks."""
