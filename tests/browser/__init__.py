"""The inbox in a real browser, run by hand."""
