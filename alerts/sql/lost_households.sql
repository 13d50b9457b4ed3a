SELECT id, code, area_id, name, care, away FROM households WHERE id = ANY(%(ids)s)
