"""Message in, row committed: the MQTT session, decoding, batches, the store and the ledger."""
