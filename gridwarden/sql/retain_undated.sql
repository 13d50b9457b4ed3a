-- First arrivals of messages whose batch is no longer kept.
DELETE FROM undated_messages u WHERE NOT EXISTS (SELECT FROM batches b WHERE b.seq = u.seq)
