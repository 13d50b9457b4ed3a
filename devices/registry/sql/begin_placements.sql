-- Every device has an open placement, which begins after any earlier one.
INSERT INTO placements (device_id, area_id, household_id, valid_from)
SELECT devices.id, areas.id, households.id,
       greatest(%(now)s, earlier.ended, earlier.began + interval '1 microsecond')
FROM jsonb_to_recordset(%(rows)s)
    AS wanted (community text, code text, area text, household text)
JOIN areas AS communities ON communities.code = wanted.community
JOIN devices ON devices.community_id = communities.id AND devices.code = wanted.code
JOIN areas ON areas.code = wanted.area
LEFT JOIN households ON households.code = wanted.household
LEFT JOIN LATERAL (
    SELECT max(valid_to) AS ended, max(valid_from) AS began
    FROM placements
    WHERE device_id = devices.id
) AS earlier ON true
WHERE NOT EXISTS (
    SELECT FROM placements WHERE device_id = devices.id AND valid_to IS NULL
)
