-- No row where every bucket of 5 minutes is there from which the days were made. Else the begin of the
-- first day (of the old zone, as text) for which that is so.
SELECT ((date_trunc('day', kept.begin AT TIME ZONE z.time_zone) + interval '1 day')
        AT TIME ZONE z.time_zone)::text
FROM rollup_zone z, (SELECT coalesce(min(bucket), 'infinity') AS begin FROM readings_5m) kept
WHERE EXISTS (SELECT FROM readings_1d d WHERE d.first_time < kept.begin)
