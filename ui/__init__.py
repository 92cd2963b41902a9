"""What every page of the dashboard shares: where a person is, what is cached, words, and parts to draw."""
