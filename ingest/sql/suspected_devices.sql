-- Devices whose next right message changes what is kept of them.
SELECT device_id FROM device_conduct WHERE run_from IS NOT NULL OR offset_us IS NOT NULL
