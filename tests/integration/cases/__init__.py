"""Tables of wrong requests, one case a line."""
