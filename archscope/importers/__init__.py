"""Models of other frameworks -> Graph."""
