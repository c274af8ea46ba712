"""Tests of reproducing papers."""
