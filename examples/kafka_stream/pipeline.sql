-- The smallest of the five: first and last names, by id.

CREATE SOURCE randomuser FROM HTTP 'http://127.0.0.1:8000/api/'
  WITH (results = 10, every = '2s', items = '$.results[*]', key = 'login.uuid',
        allow_private = true, fallback = 'generator')
  INTO TOPIC users_created WITH (partitions = 1, retention = '7d');

CREATE TABLE spark_streams.created_users (
  id UUID PRIMARY KEY,
  first_name TEXT,
  last_name TEXT,
  gender TEXT,
  post_code TEXT,
  email TEXT,
  registered_date TIMESTAMP
);

-- Data quality stands beside the data: what fails a CHECK is kept as a dead letter, with the reason.
CREATE STREAM kafka_stream INTO spark_streams.created_users AS
SELECT login.uuid AS id,
       name.first AS first_name,
       name.last AS last_name,
       gender,
       CAST(location.postcode AS TEXT) AS post_code,
       email,
       registered.date AS registered_date
FROM users_created
CHECK (login.uuid IS NOT NULL) ELSE DEAD LETTER
CHECK (email LIKE '%_@_%') ELSE DEAD LETTER
CHECK (gender IN ('male', 'female')) ELSE DEAD LETTER;
