"""Trained models: where they are kept, and how they predict."""
