UPDATE broker_accounts SET revoked_at = %(now)s WHERE username = %(username)s AND revoked_at IS NULL
