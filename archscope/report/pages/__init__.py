"""The HTML report: what it says, then how it looks."""
