"""A network as a picture: which block stands in which, what lies where, and files of it."""
