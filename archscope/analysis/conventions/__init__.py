"""What other tools count, as data: one file for each, a table of differences from macs."""
