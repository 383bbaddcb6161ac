"""Metric learning: embeddings whose distances say whether two images are of one class."""
