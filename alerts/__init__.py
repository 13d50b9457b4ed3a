"""Who must act: the life of an alert, routing to a person, outbox, channels and inbox."""
