"""Options, input and output shared by several commands."""
