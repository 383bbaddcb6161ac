"""Graph and network -> files that need no archscope, one format in each file."""
