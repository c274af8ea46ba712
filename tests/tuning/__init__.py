"""Tests of searches for parameters."""
