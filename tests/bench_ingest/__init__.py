"""What ingest takes, measured (docs/performance.md)."""
