"""Search spaces: decisions, counting, cost tables, sampling; all that needs no training."""
