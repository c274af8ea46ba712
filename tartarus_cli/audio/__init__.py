"""Recordings: decoding, spectrograms and patches. Arrays in, arrays out."""
