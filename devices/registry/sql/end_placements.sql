-- A device that the site puts elsewhere has left where it was.
UPDATE placements
SET valid_to = greatest(%(now)s, placements.valid_from)
FROM jsonb_to_recordset(%(rows)s)
    AS wanted (community text, code text, area text, household text)
JOIN areas AS communities ON communities.code = wanted.community
JOIN devices ON devices.community_id = communities.id AND devices.code = wanted.code
JOIN areas ON areas.code = wanted.area
LEFT JOIN households ON households.code = wanted.household
WHERE placements.device_id = devices.id
  AND placements.valid_to IS NULL
  AND (placements.area_id, placements.household_id) IS DISTINCT FROM (areas.id, households.id)
