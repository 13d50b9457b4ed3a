SELECT extract(epoch FROM now() - max(committed_at))::double precision AS seconds
FROM dashboard.batches
