SELECT m.id, m.code, m.name, m.language, m.password_hash,
       (SELECT name FROM site_versions ORDER BY version DESC LIMIT 1) AS site
  FROM members m
 WHERE m.retired_at IS NULL AND (m.id = %(member)s OR m.code = %(code)s)
