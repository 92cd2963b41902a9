"""How a ranker learns: windows, a loss, one loop."""
