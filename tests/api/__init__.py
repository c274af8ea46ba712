"""Tests of the front door for Python."""
