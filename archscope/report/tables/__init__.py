"""Convert results to tables, independent of the output format."""
