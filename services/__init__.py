"""Task handlers and the pure functions below them."""
