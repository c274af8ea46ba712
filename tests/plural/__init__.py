"""Tests of several models of one experiment."""
