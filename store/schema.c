/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* migrations[n] leads from version n to n + 1. What has been released is never changed, only
 * followed by another one.
 *
 * Times are microseconds since the epoch. A factor's id is never given again (AUTOINCREMENT): a
 * sealed secret is bound to it, and decisions outlive their factor. */
static const char *const migrations[] = {
                "CREATE TABLE meta ("
                "  name TEXT PRIMARY KEY NOT NULL,"
                "  value NOT NULL"
                ") WITHOUT ROWID;"
                "INSERT INTO meta VALUES ('sequence', 0);"

                "CREATE TABLE factor ("
                "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                "  name TEXT NOT NULL UNIQUE,"
                "  type TEXT NOT NULL,"
                "  status TEXT NOT NULL,"
                "  owner INTEGER NOT NULL,"
                "  sid TEXT UNIQUE,"
                "  account_sid TEXT,"
                "  service_sid TEXT,"
                "  identity TEXT,"
                "  credential_sid TEXT,"
                "  account TEXT,"
                "  base_url TEXT,"
                "  issuer TEXT,"
                "  label TEXT,"
                "  algorithm TEXT,"
                "  digits INTEGER NOT NULL,"
                "  period INTEGER NOT NULL,"
                "  counter INTEGER NOT NULL,"
                "  created INTEGER NOT NULL,"
                "  error TEXT,"
                "  secret BLOB NOT NULL" /* sealed */
                ");"

                "CREATE TABLE code_sent ("
                "  factor_id INTEGER NOT NULL REFERENCES factor ON DELETE CASCADE,"
                "  step INTEGER NOT NULL,"
                "  taken INTEGER NOT NULL,"
                "  PRIMARY KEY (factor_id, step)"
                ") WITHOUT ROWID;"
                "CREATE INDEX code_sent_taken ON code_sent (taken);"

                "CREATE TABLE decision ("
                "  id TEXT PRIMARY KEY NOT NULL,"
                "  challenge_sid TEXT NOT NULL,"
                "  digest TEXT NOT NULL,"
                "  factor_id INTEGER NOT NULL,"
                "  verb TEXT NOT NULL,"
                "  uid INTEGER NOT NULL,"
                "  door TEXT,"
                "  rule TEXT,"
                "  made INTEGER NOT NULL,"
                "  voided INTEGER,"
                "  void_reason TEXT"
                ") WITHOUT ROWID;"
                "CREATE UNIQUE INDEX decision_standing ON decision (challenge_sid)"
                "  WHERE voided IS NULL;"
                "CREATE INDEX decision_factor ON decision (factor_id, rule, made);"

                "CREATE TABLE challenge ("
                "  sid TEXT PRIMARY KEY NOT NULL,"
                "  factor_id INTEGER NOT NULL REFERENCES factor ON DELETE CASCADE,"
                "  state TEXT NOT NULL,"
                "  final INTEGER NOT NULL," /* whether the state is an end */
                "  document TEXT,"
                "  reason TEXT,"
                "  expires INTEGER NOT NULL,"
                "  changed INTEGER NOT NULL,"
                "  sequence INTEGER NOT NULL UNIQUE,"
                "  attempts INTEGER NOT NULL"
                ");"
                "CREATE INDEX challenge_factor ON challenge (factor_id);"
                "CREATE INDEX challenge_expires ON challenge (final, expires);"
                "CREATE INDEX challenge_changed ON challenge (final, changed);"

                "CREATE TABLE ticket ("
                "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                "  factor_id INTEGER NOT NULL REFERENCES factor ON DELETE CASCADE,"
                "  created INTEGER NOT NULL,"
                "  expires INTEGER NOT NULL,"
                "  message TEXT,"
                "  fields TEXT,"
                "  owner INTEGER NOT NULL,"
                "  consumed_by TEXT REFERENCES decision"
                ");"
                "CREATE INDEX ticket_factor ON ticket (factor_id);"

                "CREATE TABLE audit ("
                "  id INTEGER PRIMARY KEY,"
                "  time INTEGER NOT NULL,"
                "  uid INTEGER NOT NULL,"
                "  event TEXT,"
                "  factor TEXT,"
                "  challenge TEXT,"
                "  decision TEXT,"
                "  digest TEXT,"
                "  verb TEXT,"
                "  rule TEXT,"
                "  outcome TEXT,"
                "  reason TEXT,"
                "  door TEXT,"
                "  mac BLOB NOT NULL"
                ");",

                "ALTER TABLE factor ADD COLUMN match_field TEXT;"
                "ALTER TABLE challenge ADD COLUMN mismatches INTEGER NOT NULL DEFAULT 0;"
                "ALTER TABLE challenge ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;" /* 0: never */
                "CREATE INDEX challenge_asked ON challenge (asked) WHERE asked > 0;"
                "CREATE INDEX challenge_factor_asked ON challenge (factor_id, asked)"
                "  WHERE asked > 0;",

                /* layout: of what the MAC is over. */
                "ALTER TABLE audit ADD COLUMN policy TEXT;"
                "ALTER TABLE audit ADD COLUMN layout INTEGER NOT NULL DEFAULT 1;"
                "CREATE TABLE audit_checkpoint ("
                "  name TEXT PRIMARY KEY NOT NULL," /* start, head */
                "  id INTEGER NOT NULL,"
                "  mac BLOB NOT NULL,"
                "  count INTEGER NOT NULL,"
                "  size INTEGER NOT NULL,"
                "  fault INTEGER NOT NULL,"
                "  fault_row INTEGER NOT NULL,"
                "  seal BLOB NOT NULL"
                ") WITHOUT ROWID;",

                /* local: the times are this machine's, no server had been heard. */
                "ALTER TABLE ticket ADD COLUMN local INTEGER NOT NULL DEFAULT 0;"
                "CREATE INDEX ticket_expires ON ticket (expires);",

                /* The rule that decides it at the end unless a person does, how, and of which
                   policy. */
                "ALTER TABLE challenge ADD COLUMN held_rule TEXT;"
                "ALTER TABLE challenge ADD COLUMN held_verb TEXT;"
                "ALTER TABLE challenge ADD COLUMN held_policy TEXT;",
};

static_assert(ELEMENTSOF(migrations) == STORE_SCHEMA_VERSION, "a migration a version");

static int ask_int(Store *s, const char *sql, int64_t *ret, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        bool found;
        int r;

        r = statement_prepare(&st, s, sql, reterr_msg);
        if (r < 0)
                return r;

        return statement_take_int(&st, &found, ret, reterr_msg);
}

int schema_version(Store *s, int *ret, char **reterr_msg) {
        int64_t version, n_tables;
        int r;

        r = ask_int(s, "PRAGMA user_version", &version, reterr_msg);
        if (r < 0)
                return r;

        if (version > STORE_SCHEMA_VERSION)
                return error_set(reterr_msg, -ENOTSUP,
                                "%s is of version %lld, written by a newer factord; this one knows "
                                "versions up to %d: use the newer one again",
                                s->path, (long long) version, STORE_SCHEMA_VERSION);

        r = ask_int(s, "SELECT count(*) FROM sqlite_schema", &n_tables, reterr_msg);
        if (r < 0)
                return r;

        if (version < 0 || (version == 0 && n_tables > 0))
                return error_set(reterr_msg, -EINVAL,
                                "%s is a database of another program; move it away", s->path);

        *ret = (int) version;
        return 0;
}

int schema_migrate(Store *s, int from, char **reterr_msg) {
        char pragma[64];
        int r;

        for (int version = from; version < STORE_SCHEMA_VERSION; version++) {
                r = database_exec(s, migrations[version], reterr_msg);
                if (r < 0)
                        return r;
        }

        (void) snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", STORE_SCHEMA_VERSION);
        return database_exec(s, pragma, reterr_msg);
}
