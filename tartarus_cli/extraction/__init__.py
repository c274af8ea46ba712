"""Features computed file by file: patches of recordings, vectors of documents."""
