"""The counting conventions of other tools, one file per tool: tables of differences from macs."""
