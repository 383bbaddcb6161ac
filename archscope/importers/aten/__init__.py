"""Operators as torch writes them (aten), whatever framework they come from; without torch.

Importers bring an operator to a form in which the batch is the first axis (`canonical.py`) and the
channels the second (`absorbed.py`), and offer it to the recognisers next to our operators.
"""
