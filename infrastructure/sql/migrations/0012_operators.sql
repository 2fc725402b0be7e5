-- What operators may ask through the app.

GRANT SELECT ON public.terrane_migrations TO terrane_app;

-- So that the owner can read and drop what the app made, and end its sessions, when it rebuilds.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'terrane_app', 'MEMBER') THEN
        EXECUTE format('GRANT terrane_app TO %I', current_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'terrane_app was not granted to %: %', current_user, SQLERRM;
END
$$;

-- Without it the texts of other roles' statements stay hidden, and nothing else is lost.
DO $$
BEGIN
    GRANT pg_read_all_stats TO terrane_app;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pg_read_all_stats was not granted to terrane_app: %', SQLERRM;
END
$$;
