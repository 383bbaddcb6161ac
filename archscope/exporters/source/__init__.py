"""Graph -> Python source of a torch module, as one would write it by hand."""
