"""Tests of factors."""
