-- A store as the first schema had it: the key is the bytes 00 to 1f, and three records stand in the
-- audit trail.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  event TEXT,
  factor TEXT,
  challenge TEXT,
  decision TEXT,
  digest TEXT,
  verb TEXT,
  rule TEXT,
  outcome TEXT,
  reason TEXT,
  door TEXT,
  mac BLOB NOT NULL);
INSERT INTO "audit" VALUES(
  1,1700000000000000,1000,'decision','office','YC0123456789abcdef0123456789abcdef',
  '00112233445566778899aabbccddeeff',
  'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','approve',NULL,NULL,'','socket',
  X'01700376C318EB9D0FF29EC9CEA1A2477C7B9EFC2AAD872A537E761DDCD89FD6');
INSERT INTO "audit" VALUES(
  2,1700000001000000,-1,'outcome','office',NULL,NULL,NULL,NULL,'night','approved',NULL,NULL,
  X'D72FBE53BE499EBEE71B120899B3DCD31AAA5BC05F5C138E76CD6104CCA30894');
INSERT INTO "audit" VALUES(
  3,1700000002000000,0,'owner','shop',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,
  X'E10C3C7BAEC08533B116CF6035ADDC2B9206BC4AD80E1607032B6390E77F9BD3');
CREATE TABLE challenge (
  sid TEXT PRIMARY KEY NOT NULL,
  factor_id INTEGER NOT NULL REFERENCES factor ON DELETE CASCADE,
  state TEXT NOT NULL,
  final INTEGER NOT NULL,
  document TEXT,
  reason TEXT,
  expires INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  sequence INTEGER NOT NULL UNIQUE,
  attempts INTEGER NOT NULL);
CREATE TABLE code_sent (
  factor_id INTEGER NOT NULL REFERENCES factor ON DELETE CASCADE,
  step INTEGER NOT NULL,
  taken INTEGER NOT NULL,
  PRIMARY KEY (factor_id, step)) WITHOUT ROWID;
CREATE TABLE decision (
  id TEXT PRIMARY KEY NOT NULL,
  challenge_sid TEXT NOT NULL,
  digest TEXT NOT NULL,
  factor_id INTEGER NOT NULL,
  verb TEXT NOT NULL,
  uid INTEGER NOT NULL,
  door TEXT,
  rule TEXT,
  made INTEGER NOT NULL,
  voided INTEGER,
  void_reason TEXT) WITHOUT ROWID;
CREATE TABLE factor (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  owner INTEGER NOT NULL,
  sid TEXT UNIQUE,
  account_sid TEXT,
  service_sid TEXT,
  identity TEXT,
  credential_sid TEXT,
  account TEXT,
  base_url TEXT,
  issuer TEXT,
  label TEXT,
  algorithm TEXT,
  digits INTEGER NOT NULL,
  period INTEGER NOT NULL,
  counter INTEGER NOT NULL,
  created INTEGER NOT NULL,
  error TEXT,
  secret BLOB NOT NULL);
CREATE TABLE meta (
  name TEXT PRIMARY KEY NOT NULL,
  value NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('key-check',X'806B2B569397290D135130861CAAD3AF74173896BF24B27AFE4369561DF913D8');
INSERT INTO "meta" VALUES('key-source','file');
INSERT INTO "meta" VALUES('sequence',0);
CREATE TABLE ticket (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  factor_id INTEGER NOT NULL REFERENCES factor ON DELETE CASCADE,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  message TEXT,
  fields TEXT,
  owner INTEGER NOT NULL,
  consumed_by TEXT REFERENCES decision);
CREATE INDEX code_sent_taken ON code_sent (taken);
CREATE UNIQUE INDEX decision_standing ON decision (challenge_sid)  WHERE voided IS NULL;
CREATE INDEX decision_factor ON decision (factor_id, rule, made);
CREATE INDEX challenge_factor ON challenge (factor_id);
CREATE INDEX challenge_expires ON challenge (final, expires);
CREATE INDEX challenge_changed ON challenge (final, changed);
CREATE INDEX ticket_factor ON ticket (factor_id);
COMMIT;
