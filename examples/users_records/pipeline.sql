-- Validated, typed records of people all over the world: only what passes reaches the table, and
-- what does not is kept with the reason. No password is stored.

CREATE SOURCE randomuser FROM HTTP 'http://127.0.0.1:8000/api/'
  WITH (results = 20, every = '1s', items = '$.results[*]', key = 'login.uuid',
        retries = 5, timeout = '10s', rate_limit = '20000/5m', allow_private = true, fallback = 'generator')
  INTO TOPIC user_records WITH (partitions = 3, retention = '7d');

CREATE KEYSPACE IF NOT EXISTS worldwide_users
  WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};

CREATE TABLE worldwide_users.user_records (
  uuid UUID PRIMARY KEY,
  first_name TEXT,
  last_name TEXT,
  gender TEXT,
  age INT,
  nat TEXT,
  country TEXT,
  state TEXT,
  city TEXT,
  street TEXT,
  postcode TEXT,
  latitude DOUBLE,
  longitude DOUBLE,
  timezone_offset TEXT,
  email TEXT,
  username TEXT,
  dob TIMESTAMP,
  registered TIMESTAMP,
  phone TEXT,
  cell TEXT,
  id_name TEXT,
  id_value TEXT,
  picture TEXT
);

CREATE STREAM spark_stream INTO worldwide_users.user_records AS
SELECT login.uuid AS uuid,
       name.first AS first_name,
       name.last AS last_name,
       gender,
       dob.age AS age,
       nat,
       location.country AS country,
       location.state AS state,
       location.city AS city,
       concat_ws(' ', CAST(location.street.number AS TEXT), location.street.name) AS street,
       CAST(location.postcode AS TEXT) AS postcode,
       CAST(location.coordinates.latitude AS DOUBLE) AS latitude,
       CAST(location.coordinates.longitude AS DOUBLE) AS longitude,
       location.timezone.offset AS timezone_offset,
       lower(email) AS email,
       login.username AS username,
       dob.date AS dob,
       registered.date AS registered,
       phone,
       cell,
       id.name AS id_name,
       CAST(id.value AS TEXT) AS id_value,
       picture.large AS picture
FROM user_records
CHECK (login.uuid IS NOT NULL) ELSE DEAD LETTER
CHECK (email LIKE '%_@_%._%') ELSE DEAD LETTER
CHECK (dob.age BETWEEN 0 AND 130) ELSE DEAD LETTER;
