"""Tests of factorization."""
