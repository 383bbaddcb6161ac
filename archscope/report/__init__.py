"""Show results: as tables first, then in a file per output format."""
