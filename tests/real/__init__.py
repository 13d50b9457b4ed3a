"""Recorded data that nobody here wrote, through the whole path, judged by its own ground truth."""
