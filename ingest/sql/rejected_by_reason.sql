SELECT reason, count(*) FROM rejected_messages WHERE retried_at IS NULL GROUP BY reason ORDER BY reason;
