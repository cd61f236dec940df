-- The nested JSON goes into the topic as it comes; the stream flattens it.
-- The key is the person's own uuid, not a random one: a record read twice is one row.

CREATE SOURCE randomuser FROM HTTP 'http://127.0.0.1:8000/api/'
  WITH (results = 1, every = '1s', items = '$.results[*]', key = 'login.uuid',
        allow_private = true, fallback = 'generator')
  INTO TOPIC user_created WITH (partitions = 1);

CREATE TABLE spark_streams.created_users (
  id UUID PRIMARY KEY,
  first_name TEXT,
  last_name TEXT,
  gender TEXT,
  address TEXT,
  postcode TEXT,
  email TEXT,
  username TEXT,
  registered_date TEXT,
  phone TEXT,
  picture TEXT
);

CREATE STREAM flatten_users INTO spark_streams.created_users AS
SELECT login.uuid AS id,
       name.first AS first_name,
       name.last AS last_name,
       gender,
       concat_ws(', ', concat_ws(' ', CAST(location.street.number AS TEXT), location.street.name),
                 location.city, location.state, location.country) AS address,
       CAST(location.postcode AS TEXT) AS postcode,
       email,
       login.username AS username,
       registered.date AS registered_date,
       phone,
       picture.medium AS picture
FROM user_created
CHECK (login.uuid IS NOT NULL) ELSE DEAD LETTER
CHECK (email LIKE '%@%') ELSE DEAD LETTER;
