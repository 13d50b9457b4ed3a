-- Those of the last %(messages)s messages of the shard: a broker that counts its packet ids up has
-- not come round to any of them since.
WITH newest AS (
    SELECT seq, messages FROM batches WHERE shard = %(shard)s
    ORDER BY seq DESC LIMIT %(messages)s
), counted AS (
    SELECT seq, sum(messages) OVER (ORDER BY seq DESC) AS up_to_here FROM newest
)
SELECT packet_id, digest, arrival FROM undated_messages
WHERE shard = %(shard)s
  AND seq IN (SELECT seq FROM counted WHERE up_to_here <= %(messages)s)
