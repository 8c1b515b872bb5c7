"""From settings and data to a fitted model."""
