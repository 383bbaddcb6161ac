"""Draw networks: nested blocks, their layout, and output formats."""
