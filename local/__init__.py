"""The whole system on one machine without Azure; never deployed."""
