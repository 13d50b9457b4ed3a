SELECT text FROM rules
 WHERE code = %(code)s AND fingerprint = %(mark)s
 ORDER BY id DESC
 LIMIT 1
