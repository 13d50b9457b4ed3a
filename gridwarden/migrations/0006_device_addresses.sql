-- What a vendor's format calls the device: a DevEUI, a friendly name, a serial number. One of each in a
-- community; the site's check sees to that, since a replaced device hands its address on.
ALTER TABLE devices ADD COLUMN address text CHECK (address <> '');
