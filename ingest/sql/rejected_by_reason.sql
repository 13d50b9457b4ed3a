SELECT reason, count(*) FROM rejected_messages GROUP BY reason ORDER BY reason;
