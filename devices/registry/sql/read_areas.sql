SELECT areas.code, areas.kind, areas.name, parents.code AS parent,
       areas.retired_at IS NOT NULL AS retired
FROM areas
LEFT JOIN areas AS parents ON parents.id = areas.parent_id
