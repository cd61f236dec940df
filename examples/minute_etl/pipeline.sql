-- A producer that is always running, an ETL step with filtering, transformation and parsing.
-- The event keeps its producer's names and types: post_code is a number there.

CREATE SOURCE producer FROM HTTP 'http://127.0.0.1:8000/api/'
  WITH (results = 5, nat = 'us', every = '1s', items = '$.results[*]', key = 'login.uuid',
        allow_private = true, fallback = 'generator')
  INTO TOPIC users_created WITH (partitions = 3, retention = '1d');

CREATE TABLE spark_streams.created_users (
  id UUID PRIMARY KEY,
  first_name TEXT,
  last_name TEXT,
  gender TEXT,
  address TEXT,
  post_code INT,
  email TEXT,
  username TEXT,
  dob TIMESTAMP,
  registered_date TIMESTAMP,
  phone TEXT,
  picture TEXT
);

CREATE STREAM run_streaming INTO spark_streams.created_users AS
SELECT login.uuid AS id,
       name.first AS first_name,
       name.last AS last_name,
       gender,
       concat_ws(', ', concat_ws(' ', CAST(location.street.number AS TEXT), location.street.name),
                 location.city, location.state, location.country) AS address,
       location.postcode AS post_code,
       lower(email) AS email,
       login.username AS username,
       dob.date AS dob,
       registered.date AS registered_date,
       phone,
       picture.medium AS picture
FROM users_created
WHERE nat = 'US'
CHECK (login.uuid IS NOT NULL) ELSE DEAD LETTER
CHECK (email LIKE '%@%') ELSE DEAD LETTER;
