"""Contracts: checks that every item of a kind must pass, of archscope and of plug-ins.

Each kind of `archscope.plugins.kinds.KINDS` has a file of that name, with `checks(name, file)`.
"""
