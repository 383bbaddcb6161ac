"""Plug-ins: operators, rules, metrics and so on from installed packages and the user's project."""
