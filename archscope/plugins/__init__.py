"""Plug-ins: operators, rules, metrics and so on of installed packages and of the user's project."""
