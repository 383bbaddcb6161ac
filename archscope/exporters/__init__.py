"""Writes graphs and networks to files that do not need archscope; one module for each format."""
