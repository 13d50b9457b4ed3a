-- Everything that devices announced, by community, format and subject.
SELECT community, format, subject, state FROM announcements ORDER BY community, format, subject
