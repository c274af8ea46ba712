"""Import of embeddings, tables and tags as settings of a dataset."""
