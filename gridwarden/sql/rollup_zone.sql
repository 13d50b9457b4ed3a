-- The zone of the site as applied, and the zone whose days are there (NULL: none yet).
SELECT
    coalesce((SELECT time_zone FROM site_versions ORDER BY version DESC LIMIT 1), 'UTC'),
    (SELECT time_zone FROM rollup_zone)
