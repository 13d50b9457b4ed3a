"""What duty staff see: Grafana pages generated from Python."""
