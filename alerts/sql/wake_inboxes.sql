SELECT pg_notify('gridwarden_inbox', member::text) FROM unnest(%(members)s::integer[]) AS member
