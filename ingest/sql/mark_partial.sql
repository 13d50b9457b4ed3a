-- Understood in part by now: the rest is still refused, for its own reason.
UPDATE rejected_messages
SET partial = true, device_id = %(device)s, reason = %(reason)s, detail = %(detail)s,
    community = %(community)s, unknown = %(unknown)s
WHERE id = %(id)s
