SELECT
    received::double precision AS received,
    stored::double precision AS stored,
    duplicate::double precision AS duplicate,
    rejected::double precision AS rejected,
    (received - in_batches)::double precision AS missing
FROM dashboard.ledger
