"""Tables in CSV, TSV and Parquet: read and written block by block, never as a whole."""
