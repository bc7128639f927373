"""The tests mirror `service/`; integration/ starts the real thing."""
