-- Which countries an item lies in is asked for every item that is written.
CREATE TABLE app.countries (
    iso3 text NOT NULL CONSTRAINT countries_pkey PRIMARY KEY,
    name text NOT NULL,
    geom geometry(Geometry, 4326) NOT NULL
);
CREATE INDEX countries_geom ON app.countries USING gist (geom);
GRANT SELECT ON app.countries TO terrane_app;
