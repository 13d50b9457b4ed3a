-- One process at a time, until its transaction ends: what another has just moved is then seen.
SELECT pg_advisory_xact_lock(%(lock)s)
