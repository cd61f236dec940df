-- People from the RandomUser API, live, in a table.
-- The address is the API that Sluice itself serves, so that this runs offline. For the public site
-- write 'https://randomuser.me/api/' and take out allow_private; with fallback = 'generator' the
-- records keep coming, and `sluice status` says so, while the site is down.

CREATE SOURCE randomuser FROM HTTP 'http://127.0.0.1:8000/api/'
  WITH (results = 10, every = '1s', items = '$.results[*]', key = 'login.uuid',
        rate_limit = '20000/5m', allow_private = true, fallback = 'generator')
  INTO TOPIC users_created WITH (partitions = 3, retention = '7d');

CREATE TABLE spark_streams.created_users (
  id UUID PRIMARY KEY,
  first_name TEXT,
  last_name TEXT,
  gender TEXT,
  address TEXT,
  post_code TEXT,
  email TEXT,
  username TEXT,
  dob TIMESTAMP,
  registered_date TIMESTAMP,
  phone TEXT,
  picture TEXT
);

-- postcode is a number in most countries and a text in some: CAST takes both, so none is lost.
CREATE STREAM load_users INTO spark_streams.created_users AS
SELECT login.uuid AS id,
       name.first AS first_name,
       name.last AS last_name,
       gender,
       concat_ws(', ', concat_ws(' ', CAST(location.street.number AS TEXT), location.street.name),
                 location.city, location.state, location.country) AS address,
       CAST(location.postcode AS TEXT) AS post_code,
       email,
       login.username AS username,
       dob.date AS dob,
       registered.date AS registered_date,
       phone,
       picture.medium AS picture
FROM users_created
CHECK (login.uuid IS NOT NULL AND email LIKE '%@%') ELSE DEAD LETTER;
