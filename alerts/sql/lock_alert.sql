SELECT state, acknowledged_by FROM alerts WHERE id = %(alert)s FOR UPDATE
