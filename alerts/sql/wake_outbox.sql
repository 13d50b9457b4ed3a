SELECT pg_notify('gridwarden_outbox', '')
