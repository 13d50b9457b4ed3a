-- Which address a device had, from when to when; the open row is the one it has. A device that is
-- replaced keeps its code and its history, and its successor has another address.
CREATE TABLE device_addresses (
    device_id   integer NOT NULL REFERENCES devices,
    address     text NOT NULL CHECK (address <> ''),
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz CHECK (valid_to >= valid_from),
    PRIMARY KEY (device_id, valid_from)
);
CREATE UNIQUE INDEX device_addresses_open ON device_addresses (device_id) WHERE valid_to IS NULL;
-- Of addresses given before, it is known only that they are in use now.
INSERT INTO device_addresses (device_id, address, valid_from)
SELECT id, address, now() FROM devices WHERE address IS NOT NULL AND retired_at IS NULL;
