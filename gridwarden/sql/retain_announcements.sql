-- What was announced in communities that the site no longer has, by batches that are no longer kept. In a
-- community of the site it stays: a birth or an entity may be in use for years without being said again.
DELETE FROM announcements a
WHERE NOT EXISTS (SELECT FROM batches b WHERE b.seq = a.seq)
  AND NOT EXISTS (
      SELECT FROM areas
      WHERE kind = 'community' AND code = a.community AND retired_at IS NULL
  )
