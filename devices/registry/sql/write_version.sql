INSERT INTO site_versions (applied_at, name, time_zone, changes)
VALUES (%(now)s, %(name)s, %(time_zone)s, %(changes)s)
RETURNING version
