UPDATE areas SET retired_at = %(now)s WHERE code = ANY(%(codes)s)
