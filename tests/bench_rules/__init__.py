"""What judging readings takes, measured (docs/performance.md)."""
