"""The demonstration: what a user would do, over HTTP, with proof that every step worked."""
