-- The app's role reads and writes rows; it owns nothing and changes no schema.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'terrane_app') THEN
        CREATE ROLE terrane_app LOGIN;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA app TO terrane_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO terrane_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA app TO terrane_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA app TO terrane_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO terrane_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT USAGE ON SEQUENCES TO terrane_app;
ALTER ROLE terrane_app SET statement_timeout = '30s';
ALTER ROLE terrane_app SET idle_in_transaction_session_timeout = '30s';
CREATE SCHEMA IF NOT EXISTS geo;
GRANT USAGE, CREATE ON SCHEMA geo TO terrane_app;
