"""Results as tables, independent of the output format."""
