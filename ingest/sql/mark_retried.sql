-- Understood as a whole by now. `unknown` goes: its devices wait for adoption no longer.
UPDATE rejected_messages AS m
SET retried_at = %(now)s, retried_by = %(by)s, device_id = told.device_id, unknown = NULL
FROM unnest(%(ids)s::bigint[], %(devices)s::integer[]) AS told (id, device_id)
WHERE m.id = told.id
