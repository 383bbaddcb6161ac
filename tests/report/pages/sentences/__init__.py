"""Patterns of the sentences on a report's page, and checks of their numbers."""
