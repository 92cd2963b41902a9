"""Tables as files that a spreadsheet opens without running anything."""

from recsys_core.report.formats import csv_bytes, inert

__all__ = ["csv_bytes", "inert"]
