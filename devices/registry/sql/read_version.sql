SELECT version, name, time_zone FROM site_versions ORDER BY version DESC LIMIT 1
