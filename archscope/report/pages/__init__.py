"""The HTML report: its content first, then its form."""
