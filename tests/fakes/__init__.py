"""The ports in memory, written by hand: small adapters that keep every promise a port makes."""
