-- install
-- Make the countries those of this release.
INSERT INTO app.countries (iso3, name, geom)
SELECT country->>'iso3', country->>'name', ST_SetSRID(ST_GeomFromGeoJSON(country->>'geometry'), 4326)
  FROM jsonb_array_elements(%(countries)s) AS country
    ON CONFLICT (iso3) DO UPDATE SET name = EXCLUDED.name, geom = EXCLUDED.geom;
