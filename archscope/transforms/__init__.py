"""Graph -> Graph: the same function in another form, one transform in each file."""
