"""Measures of ranked lists, on plain arrays."""
