UPDATE broker_accounts SET rotated_at = %(now)s WHERE username = %(username)s
