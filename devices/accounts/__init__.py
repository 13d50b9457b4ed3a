"""Accounts on the broker: who may sign in, and on which topics, by Mosquitto's own plugin."""
