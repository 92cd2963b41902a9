"""Why an item is on a list, and whether that reason is true."""
