"""Threads, errors, warnings and numbers: what every folder needs."""
