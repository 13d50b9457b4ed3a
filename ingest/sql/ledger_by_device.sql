SELECT device_id, received, stored, duplicate, rejected FROM ledger ORDER BY device_id;
