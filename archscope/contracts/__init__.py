"""What everything of a kind must keep, as checks: of archscope's own things, and of plug-ins'.

Each kind of `archscope.plugins.kinds.KINDS` has a file of that name, with `checks(name, file)`.
"""
