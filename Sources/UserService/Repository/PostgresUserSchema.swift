import PostgresStorage
import Storage

/// The tables of the user service in PostgreSQL.
///
/// A table `users` that a Go service left behind is taken over with all its rows. Nothing of it is lost:
/// - Its columns keep their names and contents; lengths and NOT NULLs that would refuse rows of ours are lifted.
/// - `created_at` is added or filled where it is missing, with the time of the migration; a `created_at` that is no time
///   is kept under another name.
/// - Rows that gorm marked as deleted move to `users_deleted`, so that they can't log in.
/// - Addresses are unique without case from now on, by `folded_email`. Twins that differ only in case, which the old
///   unique constraint let in, must not keep the service from starting: one of them, the one whose spelling is the
///   folded one or else the oldest, is found by every spelling; the others by exactly their own. No further twin
///   can be made. Of rows with the very same address, which can't be told apart at login, the oldest is found.
enum PostgresUserSchema {
    /// Where a NOTIFY tells of events.
    static let channel = "user_events"
    /// The constraints on ids, which alone of all unique ones are not about the address.
    static let idKeys: Set<String> = ["users_pkey", "outbox_pkey", "outbox_id_key"]
    /// Rows whose addresses are folded at a time.
    private static let foldBatch: Int64 = 1_000

    static let migrations = [
        PostgresMigration("users") { connection in
            try connection.script(takeOver)
            try fold(connection)
            try connection.script(makeFoldedEmailsUnique)
        },
        PostgresMigration("outbox and idempotency keys", sql: outbox),
        // Events of before have none.
        PostgresMigration("trace of events", sql: "ALTER TABLE outbox ADD COLUMN traceparent text"),
        PostgresMigration(
            "when events were scheduled",
            sql: """
                ALTER TABLE outbox ADD COLUMN scheduled_at timestamptz NOT NULL DEFAULT now();
                CREATE INDEX outbox_scheduled ON outbox (scheduled_at) WHERE state = 'pending';
                """),
    ]

    private static let takeOver = """
        CREATE TABLE IF NOT EXISTS users (
            id varchar(36) PRIMARY KEY,
            name text,
            company text,
            email text,
            password text
        );
        ALTER TABLE users ADD COLUMN IF NOT EXISTS company text;

        DO $$
        DECLARE
            kind text;
            old record;
        BEGIN
            SELECT atttypid::regtype INTO kind FROM pg_attribute
            WHERE attrelid = 'users'::regclass AND attname = 'created_at' AND NOT attisdropped;
            IF kind IN ('timestamp without time zone', 'date') THEN
                ALTER TABLE users ALTER COLUMN created_at DROP DEFAULT;
                ALTER TABLE users ALTER COLUMN created_at TYPE timestamptz
                    USING created_at::timestamp AT TIME ZONE 'UTC';
            ELSIF kind <> 'timestamp with time zone' THEN
                ALTER TABLE users RENAME COLUMN created_at TO created_at_before;
            END IF;

            SELECT atttypid::regtype INTO kind FROM pg_attribute
            WHERE attrelid = 'users'::regclass AND attname = 'deleted_at' AND NOT attisdropped;
            IF kind LIKE 'timestamp%' THEN
                CREATE TABLE users_deleted AS SELECT * FROM users WHERE deleted_at IS NOT NULL;
                DELETE FROM users WHERE deleted_at IS NOT NULL;
            END IF;

            FOR old IN
                SELECT attname FROM pg_attribute
                WHERE attrelid = 'users'::regclass AND NOT attisdropped
                    AND attname IN ('name', 'email', 'password', 'company')
                    AND atttypid = 'varchar'::regtype AND atttypmod > 0
            LOOP
                BEGIN
                    EXECUTE format('ALTER TABLE users ALTER COLUMN %I TYPE text', old.attname);
                EXCEPTION WHEN feature_not_supported THEN
                    -- A view shows the column; then its length stays.
                    NULL;
                END;
            END LOOP;

            FOR old IN
                SELECT attname FROM pg_attribute
                WHERE attrelid = 'users'::regclass AND NOT attisdropped AND attnum > 0
                    AND attnotnull AND NOT atthasdef AND attidentity = ''
                    AND attname NOT IN ('id', 'name', 'email', 'password', 'company', 'created_at')
            LOOP
                EXECUTE format('ALTER TABLE users ALTER COLUMN %I DROP NOT NULL', old.attname);
            END LOOP;
        END $$;

        ALTER TABLE users ADD COLUMN IF NOT EXISTS created_at timestamptz;
        UPDATE users SET created_at = now() WHERE created_at IS NULL;
        ALTER TABLE users ALTER COLUMN created_at SET NOT NULL;
        CREATE INDEX users_in_order ON users (created_at, id COLLATE "C");

        ALTER TABLE users ADD COLUMN folded_email text COLLATE "C";
        UPDATE users SET folded_email = lower(email COLLATE "C")
        WHERE email COLLATE "C" !~ '[^[:ascii:]]';
        """

    private static let unfolded = PostgresQuery(
        """
        SELECT id, email FROM users WHERE folded_email IS NULL AND email IS NOT NULL AND id COLLATE "C" > $1
        ORDER BY id COLLATE "C" LIMIT \(foldBatch)
        """)
    private static let setFolded = PostgresQuery("UPDATE users SET folded_email = $2 WHERE id = $1")

    /// Folds the addresses that are not plain ASCII, of which there are few.
    private static func fold(_ connection: PostgresConnection) throws {
        var last = ""
        while true {
            let rows = try connection.all(unfolded, .text(last)) { (id: $0.string(0), email: $0.string(1)) }
            guard let end = rows.last else { return }
            for row in rows { try connection.run(setFolded, .text(row.id), .text(FoldedEmail.of(row.email))) }
            last = end.id
        }
    }

    /// An address in its own spelling is nobody's folded one, as folding would change it. So the only rows that can
    /// still be the same after the first step are those with the very same address.
    private static let makeFoldedEmailsUnique = """
        UPDATE users SET folded_email = users.email FROM (
            SELECT id, row_number() OVER (
                PARTITION BY folded_email
                ORDER BY (email COLLATE "C" = folded_email) DESC, created_at, id COLLATE "C"
            ) AS place
            FROM users WHERE folded_email IS NOT NULL
        ) AS ranked
        WHERE users.id = ranked.id AND ranked.place > 1;

        UPDATE users SET folded_email = NULL FROM (
            SELECT id, row_number() OVER (PARTITION BY folded_email ORDER BY created_at, id COLLATE "C") AS place
            FROM users WHERE folded_email IS NOT NULL
        ) AS ranked
        WHERE users.id = ranked.id AND ranked.place > 1;

        CREATE UNIQUE INDEX users_folded_email ON users (folded_email);
        """

    /// `due_at` is both when an event is to be tried and, once it is claimed, when its lease ends. Delivered events are
    /// removed, which keeps the table small: the mail service stores what became of them. `scheduled_at`, which a later
    /// migration adds, is when `due_at` was decided; see ``ClockStep``.
    private static let outbox = """
        CREATE TABLE outbox (
            sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id text NOT NULL UNIQUE,
            user_id text NOT NULL,
            name text NOT NULL,
            email text NOT NULL,
            company text NOT NULL,
            occurred_at timestamptz NOT NULL,
            state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'dead')),
            attempts bigint NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL DEFAULT now(),
            claim_token text,
            last_error text
        );
        CREATE INDEX outbox_pending ON outbox (due_at, sequence) WHERE state = 'pending';

        CREATE TABLE idempotency_keys (
            id bytea PRIMARY KEY,
            fingerprint bytea NOT NULL,
            user_id text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
        """
}
