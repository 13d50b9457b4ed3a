SELECT code, fingerprint, source, line, text FROM rules WHERE valid_to IS NULL
