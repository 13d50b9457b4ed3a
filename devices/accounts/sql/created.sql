INSERT INTO broker_accounts (username, kind, device_id, member_id, client_id, created_at)
VALUES (%(username)s, %(kind)s, %(device_id)s, %(member_id)s, %(client_id)s, %(now)s)
ON CONFLICT (username) DO UPDATE
SET kind = excluded.kind, client_id = excluded.client_id, created_at = excluded.created_at,
    rotated_at = NULL, revoked_at = NULL
