"""The grid member's inbox: pages and their edge; no decisions."""
