SELECT reason, count(*) AS n FROM rejected_messages GROUP BY reason ORDER BY reason
