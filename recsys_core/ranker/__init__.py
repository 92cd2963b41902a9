"""What ranks: one protocol, one file a ranker."""
