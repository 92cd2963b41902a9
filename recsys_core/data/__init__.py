"""From files to a data set: read, check, number, split."""
