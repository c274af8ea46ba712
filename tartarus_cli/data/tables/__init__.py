"""Tables of the user's, CSV, TSV and Parquet: read and written block by block, never whole."""
