-- Which address a device had, from when to when.
SELECT address, valid_from, valid_to FROM device_addresses WHERE device_id = %(device)s
ORDER BY valid_from
