"""Tables and findings in one format each."""
