"""Training: data, loss, loop, metrics."""
