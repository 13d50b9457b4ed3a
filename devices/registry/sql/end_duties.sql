UPDATE duties SET valid_to = greatest(%(now)s, valid_from) WHERE id = ANY(%(ids)s)
