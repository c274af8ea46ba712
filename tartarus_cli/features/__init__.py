"""Embeddings, tables and tags of one's own, brought into place."""
