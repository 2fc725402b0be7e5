-- What operators may ask through the app.

GRANT SELECT ON public.terrane_migrations TO terrane_app;

-- Without it the texts of other roles' statements stay hidden, and nothing else is lost.
DO $$
BEGIN
    GRANT pg_read_all_stats TO terrane_app;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pg_read_all_stats was not granted to terrane_app: %', SQLERRM;
END
$$;
